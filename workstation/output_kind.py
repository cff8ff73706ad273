"""Which kind of output a model has, of those in `edgecnn.answers`: by its last activation, else by its values."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

PROBES = 8  # random images whose outputs show the kind
_SIGMOIDS = ("sigmoid", "hard_sigmoid")

Floats = npt.NDArray[np.float32]


def probes(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Random images, uint8, (n, *shape), each brighter than the one before."""
    images = np.random.default_rng(0).integers(0, 256, (PROBES, *shape))
    return (images * np.linspace(0.2, 1, PROBES).reshape(-1, 1, 1, 1)).astype(np.uint8)


def output_kind(outputs: Floats, step: float = 0.0, activation: str | None = None) -> str:
    """The kind of an output: `sigmoid`, `sigmoids`, `probabilities` or `logits`.

    Args:
        outputs: of the probes, (n, columns).
        step: the quantization step of the outputs; each may be half a step off.
        activation: the name of the last activation, where it is known.
    """
    if outputs.shape[1] == 1:
        return "sigmoid"
    if activation in _SIGMOIDS:
        return "sigmoids"
    if is_probabilities(outputs, step):
        return "probabilities"
    return "sigmoids" if activation is None and within_one(outputs, step) else "logits"


def is_probabilities(outputs: Floats, step: float = 0.0) -> bool:
    """Whether each row is a distribution: the model has its softmax inside."""
    bound = 1e-3 + step * (1 + outputs.shape[1] / 2)
    return bool((outputs >= 0).all() and np.abs(outputs.sum(axis=1) - 1).max() < bound)


def within_one(outputs: Floats, step: float = 0.0) -> bool:
    """Whether all outputs lie between 0 and 1, but for half a step."""
    return bool(outputs.min() >= -step / 2 and outputs.max() <= 1 + step / 2)


def last_activation(model: "keras.Model") -> str | None:
    """The name of the activation of a model's last layer; None where that layer has none."""
    import keras

    layer: Any = model.outputs[0]._keras_history.operation
    if isinstance(layer, keras.Model):
        return last_activation(layer) if layer.outputs else None
    return getattr(getattr(layer, "activation", None), "__name__", None)


def ending_in_sigmoid(path: Path, model: "keras.Model", outputs: Floats) -> "keras.Model":
    """The same model; with a sigmoid behind it, if its one output is a logit (training with `from_logits=True`)."""
    if outputs.shape[1] > 1 or last_activation(model) in _SIGMOIDS or within_one(outputs):
        return model
    import keras

    print(f"{path} gives one value beyond 0 to 1: taken as a logit, a sigmoid is put behind it", file=sys.stderr)
    return keras.Model(model.inputs, keras.layers.Activation("sigmoid", name="edge_sigmoid")(model.outputs[0]))
