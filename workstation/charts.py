"""What charts of several commands have in common: bars, the cells of a confusion matrix, PNG."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

BLUE = "#2f6db5"
_MOST_ORDERED = 200  # classes whose order is the best of all: that takes the time of their cube
_MANY = 25  # classes, above which no number fits into a cell
_STYLE: Any = {"text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False, "font.size": 10}


def bars(
    names: Sequence[str],
    values: Sequence[float],
    form: str,
    colours: str | Sequence[str] = BLUE,
    grid: bool = False,
    log: bool = False,
    **properties: str,
) -> bytes:
    """Draw horizontal bars, the first on top, as a PNG.

    Args:
        names: of the bars.
        values: their lengths.
        form: how a value is written beside its bar, as `%.1f`.
        colours: one for all bars, or one for each.
        grid: whether lines cross the bars.
        log: whether the lengths are logarithms.
        properties: of matplotlib's axes: title, xlabel.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8, 1.2 + 0.34 * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.bar_label(axes.barh(names, values, color=colours), fmt=form, padding=3, color="#444444")
        axes.invert_yaxis()
        axes.set(**properties)
        if log:
            logarithmic(axes)
        if grid:
            axes.grid(axis="x", alpha=0.25)
        return png(figure)


def confusion_counts(
    labels: npt.NDArray[np.int64], answers: npt.NDArray[np.intp], names: Sequence[str]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Count the images of each class (row) with each answer (column).

    Returns:
        int64, (classes, classes), and the names of the classes, ordered so that those which are confused lie together.
    """
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, (labels, answers), 1)
    order = _confused_order(counts)
    return counts[np.ix_(order, order)], [names[place] for place in order]


def _confused_order(counts: npt.NDArray[np.int64]) -> list[int]:
    """The classes in the order of the leaves of a tree that joins the most confused ones first.

    Source: Z. Bar-Joseph, D. Gifford, T. Jaakkola (2001), "Fast optimal leaf ordering for hierarchical clustering".
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    wrong, images = mistakes_in(counts), counts.sum(axis=1)
    if len(counts) < 3 or not wrong.any():
        return list(range(len(counts)))
    distances = 1 - (wrong + wrong.T) / np.maximum(1, images[:, np.newaxis] + images)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), "average", optimal_ordering=len(counts) <= _MOST_ORDERED)
    return [int(place) for place in leaves_list(tree)]


def mistakes_in(counts: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The counts without the right answers, which lie on the diagonal."""
    return np.where(np.eye(len(counts), dtype=bool), 0, counts)


def number_cells(axes: Any, counts: npt.NDArray[Any], names: Sequence[str]) -> None:
    """Write the counts into the cells of a confusion matrix, and the names of the classes on its axes."""
    if len(names) <= _MANY:
        for row, column in np.argwhere(counts):
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=7)
    axes.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 4 else 90)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="answer", ylabel="label")


def png(figure: Figure) -> bytes:
    """The bytes of a figure as a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def logarithmic(axes: Any) -> None:
    """A logarithmic horizontal axis, with plain numbers at 1, 2 and 5: matplotlib's own labels are formulas."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
