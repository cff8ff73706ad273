"""The C function that tells whether an output is likely enough, or the image `unknown` (`--reject`)."""

import numpy as np
import numpy.typing as npt

from convert.c.initializers import float_literal, numbers
from convert.c.syntax import Code
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Manifest, Rejection
from edgecnn.pixels import dequantize

_LEVELS = np.arange(-128, 128, dtype=np.int8)


def rejection_values(rejection: Rejection, manifest: Manifest, output: TensorSpec) -> dict[str, Code]:
    """What the template known.h wants: the weights, the threshold, and which stored output has the first weight."""
    is_logits = manifest.output == "logits"
    weights = _of_logits(rejection, output) if is_logits else _of_probabilities(rejection, output)
    return {
        "weights": Code(numbers(float_literal(weight) for weight in weights)),
        "first": Code("best - 255" if is_logits else "-128"),
        "threshold": float_literal(rejection.threshold),
    }


def _of_probabilities(rejection: Rejection, output: TensorSpec) -> npt.NDArray[np.float64]:
    """A probability to the power of 1 / temperature, by its stored value, -128 to 127; see `edgecnn.answers`."""
    probabilities = np.maximum(dequantize(_LEVELS, output), rejection.floor).astype(np.float64)
    weights: npt.NDArray[np.float64] = (probabilities / probabilities.max()) ** (1 / rejection.temperature)
    return weights


def _of_logits(rejection: Rejection, output: TensorSpec) -> npt.NDArray[np.float64]:
    """The same, by how far a stored logit is below the largest, 255 to 0 steps; the floor, below all, is left out."""
    weights: npt.NDArray[np.float64] = np.exp(np.arange(-255, 1) * output.scale / rejection.temperature)
    return weights
