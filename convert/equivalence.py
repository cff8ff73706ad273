"""Whether two conversions give the same outputs, on validation and random images: the proof of a rewrite."""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.parent import Parent
from convert.proof import Conversion, Proof
from edgecnn.answers import changed_answers

if TYPE_CHECKING:
    import keras

_MOST_RANDOM, _LEAST_RANDOM = 1000, 16  # images
_RANDOM_WORK = 2e11  # multiply-accumulates over random images on an engine: seconds
_DEPTH = 256  # of an ImageNet network, the pixels to one output of a layer that is rich in weights
_ABSOLUTE, _RELATIVE = 1e-6, 1e-5  # of the largest output, at least 1: float sums in another order


def noise(parent: Parent) -> npt.NDArray[np.uint8]:
    """Random images, uint8, for the proof that a rewrite changes nothing: they reach what validation does not.

    1,000, of costly networks fewer: as many as a bounded number of multiply-accumulates runs. A bound in seconds would
    make what is refused, and so the file, depend on the machine.
    """
    count = max(_LEAST_RANDOM, min(_MOST_RANDOM, int(_RANDOM_WORK // max(1, work(parent.model)))))
    shape = (count, *parent.manifest.input.shape)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def work(model: "keras.Model") -> int:
    """About how many multiply-accumulates an image takes: each weight once for each place of its layer's output.

    Of a layer that is a network itself (a SavedModel) the places are guessed: MobileNets and ResNets take this many.
    """
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            total += work(layer)
            continue
        given = tuple(layer.output.shape)[1:-1] if len(layer._inbound_nodes) == 1 else ()
        taken = tuple(model.inputs[0].shape)[1:3]
        places = math.prod(given) if given else 1
        if not given and hasattr(layer, "call_endpoint"):
            places = max(1, math.prod(taken) // _DEPTH)
        total += sum(math.prod(weights.shape) for weights in layer.weights) * places
    return total


def difference(plain: Conversion, found: Conversion, exact: bool, multi_label: bool) -> str | None:
    """Where two conversions do not give the same outputs, on validation and random images; None if nowhere.

    Args:
        plain: without rewrites.
        found: with them.
        exact: bit for bit; else within 1e-6 + 1e-5 x the largest output, and with the same predictions.
        multi_label: whether an image may show several labels.
    """
    for engine, proof in plain.proofs.items():
        other = found.proofs[engine]
        if not isinstance(proof, Proof):
            continue
        if not isinstance(other, Proof):
            return f"{engine} does not run it"
        off = float(np.abs(proof.outputs - other.outputs).max())
        allowed = 0.0 if exact else _ABSOLUTE + _RELATIVE * max(1.0, float(np.abs(proof.outputs).max()))
        flips = changed_answers(proof.outputs, other.outputs, multi_label)
        if off > allowed or flips:
            return f"off by {off:.1e} on {engine}, {allowed:.1e} allowed; {flips} predictions changed"
    return None
