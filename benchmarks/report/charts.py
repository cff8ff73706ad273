"""The report's charts, as SVG in the page's colours, light and dark."""

import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from benchmarks.report.findings import Findings, MeasuredModel
from workstation.charts import confusion_counts, logarithmic, mistakes_in, number_cells

_WIDTH = 4.4  # inches: drawn for a phone, so that letters stay legible there
_INK, _PALE = "#010203", "#040506"  # stand for the page's own colours
_COLOURS = {_INK: "currentColor", _PALE: "var(--pale)"}
_PALETTE = ("#3b7dd8", "#d08a2e", "#3f9d6b", "#b5485f", "#8a63c9", "#4aa3b5", "#9a7b4f", "#c25fa8")
_STYLE: Any = {
    "axes.edgecolor": _PALE, "axes.labelcolor": _INK, "axes.spines.right": False, "axes.spines.top": False,
    "font.size": 9, "grid.color": _PALE, "svg.fonttype": "none", "svg.hashsalt": "edgecnn", "text.color": _INK,
    "text.parse_math": False, "xtick.color": _INK, "ytick.color": _INK,
}  # fmt: skip


def accuracy_against_latency(findings: Findings) -> str:
    """A bubble a model and engine: to the left is faster, higher is more accurate, the area is the file's size."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 3.3 + 0.2 * len(findings.candidates)), layout="constrained")
        axes = figure.subplots()
        for model, colour in zip(findings.candidates, _colours(findings), strict=True):
            x, y = model.p50_us, model.report.accuracy
            axes.plot([x, x], model.interval, color=colour, linewidth=0.8, alpha=0.6)
            axes.scatter(x, y, s=model.bytes / 800, color=colour, alpha=0.75, linewidths=0)
            axes.scatter([], [], color=colour, s=40, label=_legend(model))  # of one size in the legend
        axes.axhline(
            findings.parent_accuracy, color=_INK, linestyle="--", linewidth=0.8, label="accuracy of the float model"
        )
        axes.set(xlabel="µs from raw pixels to label, p50", ylabel="accuracy on the test split")
        logarithmic(axes)
        axes.margins(x=0.15)
        axes.grid(alpha=0.5)
        figure.legend(frameon=False, loc="outside lower left", fontsize=8)
        return _svg(figure)


def front(document: dict[str, Any]) -> str:
    """Smaller networks beside their parent: to the left is less work, higher is more accurate."""
    points = [point for point in document["points"] if point["converted"]]
    tests = [point["accuracy"]["evaluation"] for point in points]
    work, accuracies = [point["macs"] for point in points], [test["accuracy"] for test in tests]
    parent = document["parent"]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 3.0), layout="constrained")
        axes = figure.subplots()
        axes.vlines(
            work, [test["low"] for test in tests], [test["high"] for test in tests], color=_PALETTE[0], alpha=0.6
        )
        axes.scatter(work, accuracies, color=_PALETTE[0], label="in int8")
        axes.scatter(parent["macs"], parent["accuracy"]["evaluation"], color=_PALETTE[1], label="this model, in float")
        axes.set(xlabel="multiply-accumulates of an image", ylabel="accuracy on the test split")
        logarithmic(axes)
        axes.grid(alpha=0.5)
        figure.legend(frameon=False, loc="outside lower left", fontsize=8)
        return _svg(figure)


def latency_distributions(findings: Findings) -> str:
    """The distribution of the calls' times: a ridge for each candidate, with the p50 and the p99."""
    pairs = list(zip(findings.candidates, _colours(findings), strict=True))
    rows = sorted(pairs, key=lambda pair: -pair[0].p50_us)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.9 + 0.62 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for place, (model, colour) in enumerate(rows):
            end_to_end = model.times["end_to_end"]
            edges = np.array(end_to_end["histogram"]["edges_us"])
            density = np.array(end_to_end["histogram"]["counts"][:-1]) / np.diff(np.log(edges))
            middles = np.sqrt(edges[:-1] * edges[1:])
            axes.fill_between(middles, place, place + 0.75 * density / density.max(), color=colour, linewidth=0)
            for key, style in (("p50_us", "-"), ("p99_us", ":")):
                axes.plot([end_to_end[key]] * 2, [place, place + 0.8], color=_INK, linestyle=style, linewidth=0.9)
        axes.set_yticks(
            np.arange(len(rows)) + 0.3, [_legend(model).replace(" on ", "\non ") for model, _ in rows], fontsize=8
        )
        axes.tick_params(axis="y", length=0)
        axes.set(xlabel="µs from raw pixels to label   — p50   ··· p99")
        logarithmic(axes)
        most = max(model.times["end_to_end"]["p99_us"] for model, _ in rows)
        axes.set_xlim(0.9 * min(model.times["end_to_end"]["min_us"] for model, _ in rows), 1.2 * most)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", alpha=0.5)
        return _svg(figure)


def _legend(model: MeasuredModel) -> str:
    """A candidate's name, marked if its latency is INVALID."""
    return model.name + ("" if model.valid else ", INVALID")


def layer_noise(layers: Sequence[dict[str, Any]]) -> str:
    """Signal to noise of each layer: of its own rounding, and with the noise of the layers before."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 0.9 + 0.34 * len(layers)), layout="constrained")
        axes = figure.subplots()
        places = np.arange(len(layers))
        for place, layer in zip(places, layers, strict=True):
            pair = [layer["own_db"] or 0, layer["sqnr_db"] or 0]
            axes.plot(pair, [place] * 2, color=_PALE, linewidth=2)
        own, summed = ([layer[key] or 0 for layer in layers] for key in ("own_db", "sqnr_db"))
        axes.scatter(own, places, color="#3b7dd8", s=28, label="its own rounding", zorder=3)
        axes.scatter(summed, places, color="#b5485f", s=28, label="with the layers before", zorder=3)
        axes.set_yticks(places, [layer["layer"] for layer in layers])
        axes.invert_yaxis()
        axes.set(xlabel="signal to quantization noise, dB (more is better)")
        axes.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        axes.grid(axis="x", alpha=0.5)
        return _svg(figure)


def confusion(labels: npt.NDArray[np.int64], answers: npt.NDArray[np.intp], names: Sequence[str]) -> str:
    """The confusion matrix: classes in rows, answers in columns; mistakes are coloured by their number.

    Classes that are confused lie together.
    """
    counts, names = confusion_counts(labels, answers, names)
    wrong = mistakes_in(counts)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, _WIDTH), layout="constrained")
        axes = figure.subplots()
        for row, column in np.argwhere(wrong):
            corner, share = (column - 0.5, row - 0.5), wrong[row, column] / wrong.max()
            axes.add_patch(Rectangle(corner, 1, 1, facecolor="#d9622b", alpha=0.15 + 0.7 * share))
        number_cells(axes, counts, names)
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5))
        axes.set_aspect("equal")
        return _svg(figure)


def _colours(findings: Findings) -> list[str]:
    """A colour for each candidate."""
    return [_PALETTE[place % len(_PALETTE)] for place in range(len(findings.candidates))]


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"|height="[^"]*pt" ', r"\1", text, count=1)
