"""Which kind of output a model has, of those in `edgecnn.answers`: by its last activation, else by what it gives."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

PROBES = 8  # random images that show of what kind a model's output is
_SIGMOIDS = ("sigmoid", "hard_sigmoid")

Floats = npt.NDArray[np.float32]


def probes(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Random images, uint8, (n, *shape), each brighter than the one before."""
    images = np.random.default_rng(0).integers(0, 256, (PROBES, *shape))
    return (images * np.linspace(0.2, 1, PROBES).reshape(-1, 1, 1, 1)).astype(np.uint8)


def output_kind(given: Floats, step: float = 0.0, activation: str | None = None) -> str:
    """The kind of an output.

    Args:
        given: what it gave, (n, columns).
        step: the quantization step of the values, each of which may be half of it off.
        activation: the last one's name, where it is known.
    """
    if given.shape[1] == 1:
        return "sigmoid"
    if activation in _SIGMOIDS:
        return "sigmoids"
    if is_probabilities(given, step):
        return "probabilities"
    return "sigmoids" if activation is None and within_one(given, step) else "logits"


def is_probabilities(given: Floats, step: float = 0.0) -> bool:
    """Whether each row is a distribution: a softmax is inside the model, and not left to its user."""
    bound = 1e-3 + step * (1 + given.shape[1] / 2)
    return bool((given >= 0).all() and np.abs(given.sum(axis=1) - 1).max() < bound)


def within_one(given: Floats, step: float = 0.0) -> bool:
    """Whether all values may be probabilities."""
    return bool(given.min() >= -step / 2 and given.max() <= 1 + step / 2)


def last_activation(model: "keras.Model") -> str | None:
    """The name of the activation that gives a model's output; None where its last layer does not say."""
    import keras

    layer: Any = model.outputs[0]._keras_history.operation
    if isinstance(layer, keras.Model):
        return last_activation(layer) if layer.outputs else None
    return getattr(getattr(layer, "activation", None), "__name__", None)


def ending_in_sigmoid(path: Path, model: "keras.Model", given: Floats) -> "keras.Model":
    """The same model; where its one value is a logit, as training with `from_logits=True` leaves it, its sigmoid."""
    if given.shape[1] > 1 or last_activation(model) in _SIGMOIDS or within_one(given):
        return model
    import keras

    print(f"{path} gives one value beyond 0 to 1: taken as a logit, a sigmoid is put behind it", file=sys.stderr)
    return keras.Model(model.inputs, keras.layers.Activation("sigmoid", name="edge_sigmoid")(model.outputs[0]))
