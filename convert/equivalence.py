"""Whether two conversions give the same outputs, on validation and random images: the proof of a rewrite."""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.conversion import Conversion
from convert.parent import Parent
from convert.proof import Proof
from edgecnn.answers import changed_answers

if TYPE_CHECKING:
    import keras

_MOST_RANDOM, _LEAST_RANDOM = 1000, 16  # images
_RANDOM_WORK = 2e11  # multiply-accumulates over the random images on an engine: seconds
_DEPTH = 256  # in an ImageNet network, the pixels for one output of a layer that is rich in weights
_ABSOLUTE, _RELATIVE = 1e-6, 1e-5  # of the largest output, at least 1: float sums in another order


def random_images(parent: Parent) -> npt.NDArray[np.uint8]:
    """Random images, uint8, (n, height, width, channels): they reach values that validation images do not.

    1,000; of costly networks fewer: as many as a bounded number of multiply-accumulates runs. A bound in seconds would
    make what is refused, and so the file, depend on the machine.
    """
    count = max(_LEAST_RANDOM, min(_MOST_RANDOM, int(_RANDOM_WORK // max(1, work(parent.model)))))
    shape = (count, *parent.manifest.input.shape)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def work(model: "keras.Model") -> int:
    """About how many multiply-accumulates an image takes: each weight once for each place of its layer's output.

    For a layer that is a network itself (a SavedModel) the places are a guess that fits MobileNets and ResNets.
    """
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            total += work(layer)
            continue
        output_sides = tuple(layer.output.shape)[1:-1] if len(layer._inbound_nodes) == 1 else ()
        places = math.prod(output_sides) if output_sides else 1
        if not output_sides and hasattr(layer, "call_endpoint"):
            places = max(1, math.prod(tuple(model.inputs[0].shape)[1:3]) // _DEPTH)
        total += sum(math.prod(weights.shape) for weights in layer.weights) * places
    return total


def difference(plain: Conversion, rewritten: Conversion, is_exact: bool, multi_label: bool) -> str | None:
    """Where two conversions do not give the same outputs, in words; None where they do on all engines.

    Args:
        plain: without rewrites.
        rewritten: with rewrites.
        is_exact: outputs must be equal bit for bit; else within 1e-6 + 1e-5 x the largest output, and with the same
            predictions.
        multi_label: whether an image may show several labels.
    """
    for engine, proof in plain.proofs.items():
        other = rewritten.proofs[engine]
        if not isinstance(proof, Proof):
            continue
        if not isinstance(other, Proof):
            return f"{engine} does not run it"
        largest = float(np.abs(proof.outputs - other.outputs).max())
        allowed = 0.0 if is_exact else _ABSOLUTE + _RELATIVE * max(1.0, float(np.abs(proof.outputs).max()))
        flips = changed_answers(proof.outputs, other.outputs, multi_label)
        if largest > allowed or flips:
            return f"off by {largest:.1e} on {engine}, {allowed:.1e} allowed; {flips} predictions changed"
    return None
