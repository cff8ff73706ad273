"""The reliability diagram of a training: how often answers of each probability are right."""

from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from edgecnn.answers import at_temperature
from edgecnn.manifest import Rejection
from edgecnn.reliability import BINS, bins, calibration_error
from workstation.charts import png

_STYLE: Any = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 10}
_RAW, _SCALED, _LINE = "#b5472f", "#2f6db5", "#444444"

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def reliability_diagram(labels: Labels, probabilities: Floats, rejection: Rejection | None, split: str) -> bytes:
    """The share of right answers in each of 15 bins of their probability, and how many answers are in each, as PNG.

    Source: C. Guo et al. (2017), "On Calibration of Modern Neural Networks", 2.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.5, 6), layout="constrained")
        both = shares, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        shares.plot([0, 1], [0, 1], color=_LINE, linestyle="--", linewidth=1)
        _draw(both, labels, probabilities, "as the network gives them", _RAW)
        if rejection:
            scaled = at_temperature(probabilities, rejection.temperature, rejection.floor)
            _draw(both, labels, scaled, f"at temperature {rejection.temperature:.2f}", _SCALED)
            for axes in both:
                axes.axvline(rejection.threshold, color=_LINE, linestyle=":", linewidth=1)
        shares.set(title=f"{split}: how often answers are right", ylabel="share of right answers", ylim=(0, 1.02))
        figure.legend(loc="outside lower center", frameon=False, fontsize=9)
        counts.set(xlabel="probability of the answer", ylabel="images", xlim=(0, 1), yscale="log")
        return png(figure)


def _draw(both: Any, labels: Labels, probabilities: Floats, name: str, color: str) -> None:
    """One way to read the probabilities, on the axes of shares and of counts."""
    shares, counts = both
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    count = np.bincount(bins(sure), minlength=BINS)
    filled = np.flatnonzero(count)
    mean, share = (np.bincount(bins(sure), weights, BINS)[filled] / count[filled] for weights in (sure, right))
    error = calibration_error(sure, right)
    shares.plot(mean, share, marker="o", markersize=4, color=color, label=f"{name}: error {error:.4f}")
    counts.stairs(count, np.linspace(0, 1, BINS + 1), color=color)
