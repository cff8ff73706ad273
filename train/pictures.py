"""Pictures of a training."""

import io
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def curves(history: Mapping[str, Sequence[float]], evaluation: float) -> bytes:
    """Loss and accuracy of each epoch, and the accuracy on the test split after the last, as a PNG."""
    epochs = range(1, len(history["loss"]) + 1)
    with matplotlib.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.plot(epochs, history["loss"], marker="o", color="#b5472f")
        left.set(title="loss, training", xlabel="epoch", ylim=(0, None))
        right.plot(epochs, history["accuracy"], marker="o", color="#2f6db5", label="training")
        right.axhline(evaluation, color="#444444", linestyle="--", label=f"test, after the last: {evaluation:.4f}")
        right.set(title="accuracy", xlabel="epoch")
        right.legend(frameon=False, loc="lower right")
        for axes in (left, right):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.25)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()
