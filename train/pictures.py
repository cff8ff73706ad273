"""Pictures of a training, as PNG."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from edgecnn.dataset import Dataset
from workstation.charts import confusion_counts, mistakes_in, number_cells, png

_PLAIN: Any = {"text.parse_math": False, "text.usetex": False, "font.size": 9}  # a label's $ is a dollar
_STYLE = _PLAIN | {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10}
_TRAINING, _HELD_OUT, _TEST = "#2f6db5", "#b5472f", "#444444"
GALLERY = 24  # images at most
_COLUMNS = 8
_WIDE = 20  # characters that fit over a picture


def curves(history: Mapping[str, Sequence[float]], evaluation: float) -> bytes:
    """Loss and accuracy by epoch, on training and validation, and the accuracy on the test split at the end."""
    epochs = range(1, len(history["loss"]) + 1)
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        for axes, metric in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
            marker = "o" if len(epochs) <= 10 else None
            axes.plot(epochs, history[metric], marker=marker, color=_TRAINING, label="training")
            if f"val_{metric}" in history:
                axes.plot(epochs, history[f"val_{metric}"], marker=marker, color=_HELD_OUT, label="validation")
            if metric == "accuracy":
                axes.axhline(evaluation, color=_TEST, linestyle="--", label=f"test, at the end: {evaluation:.4f}")
            else:
                axes.set_ylim(0, None)
            axes.set(title=metric, xlabel="epoch")
            axes.legend(frameon=False)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.25)
        return png(figure)


def confusion(labels: npt.NDArray[np.int64], answers: npt.NDArray[np.intp], names: Sequence[str], split: str) -> bytes:
    """The confusion matrix: classes in rows, answers in columns; the colour is the number of mistakes.

    Classes that are confused lie together.
    """
    counts, names = confusion_counts(labels, answers, names)
    wrong = mistakes_in(counts)
    side = min(12.0, 2.5 + 0.42 * len(names))
    with matplotlib.rc_context(_PLAIN):
        figure = Figure(figsize=(side, side), layout="constrained")
        axes = figure.subplots()
        axes.imshow(wrong, cmap="Oranges", vmin=0, vmax=max(1, int(wrong.max())) * 1.6)
        number_cells(axes, counts, names)
        axes.set(title=f"{split}: {wrong.sum():,} of {counts.sum():,} wrong")
        return png(figure)


def mistakes(data: Dataset, probabilities: npt.NDArray[np.float32], names: Sequence[str], split: str) -> bytes:
    """The mistakes with the highest probabilities, with label, answer, probability and the name of the file."""
    labels, answers = np.asarray(data.labels), probabilities.argmax(axis=1)
    wrong = np.flatnonzero(answers != labels)
    shown = wrong[np.argsort(-probabilities[wrong, answers[wrong]])][:GALLERY]
    title = f"{split}: the {len(shown)} most confident mistakes of {len(wrong)}; label → answer"
    captions = [
        f"{names[labels[place]]} → {names[answers[place]]}  {probabilities[place, answers[place]]:.2f}"
        for place in shown
    ]
    return gallery(title, data.images, shown, captions, [str(data.indices[place]) for place in shown])


def gallery(
    title: str,
    images: npt.NDArray[np.uint8],
    places: npt.NDArray[np.intp],
    captions: Sequence[str],
    files: Sequence[str],
) -> bytes:
    """The first images at `places`, each under its caption and the end of its file's name."""
    rows = max(1, -(-min(len(places), GALLERY) // _COLUMNS))
    wrapped = [textwrap.wrap(caption, _WIDE, max_lines=3, placeholder="…") for caption in captions]
    lines = max(map(len, wrapped), default=1)
    with matplotlib.rc_context(_PLAIN):
        figure = Figure(figsize=(10, 0.6 + (1.5 + 0.15 * lines) * rows), layout="constrained")
        figure.suptitle(title)
        grid: Any = figure.subplots(rows, _COLUMNS, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for axes, place, caption, file in zip(grid.flat, places, wrapped, files, strict=False):
            axes.imshow(images[place].squeeze(), cmap="gray", vmin=0, vmax=255)
            axes.set_title("\n".join([*caption, file[-_WIDE:]]), fontsize=7)
        return png(figure)
