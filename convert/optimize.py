"""By which rewrites a model is exported, and the proof that its outputs stay the same.

The form `edge` is a fixed rule, so that a conversion gives the same bytes everywhere. It takes what was best by
`python -m benchmarks.latency` on x86-64 and by the instructions that `python -m benchmarks.arm` counts on boards: int8
kernels round input channels up, and gain from folding the first convolution, over patches more than over blocks; float
models gain from the crop alone. Other forms are there for `edgecnn tune` to choose among on the device.
"""

import argparse
import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.parent import Parent
from convert.proof import Made, Proof
from edgecnn.answers import changed_answers

if TYPE_CHECKING:
    import keras

NONE, EDGE, ALL = "none", "edge", "all"
PIXELS = "pixels"  # the rewrite of convert.pixels, of ONNX, on top of the others
FORMS: dict[str, tuple[str, ...]] = {  # rewrites of convert.rewrites, in their order; all of a form's must apply
    "crop": ("crop",),
    "patches": ("patches",),
    "blocks": ("blocks",),
    "crop_patches": ("crop", "patches"),
    "crop_blocks": ("crop", "blocks"),
}
_FOLDED = (("tflite", "int8"), ("tflite", "int8-float-io"), ("onnx", "int8"))
_MOST_RANDOM, _LEAST_RANDOM = 1000, 16  # images
_RANDOM_WORK = 2e11  # multiply-accumulates over random images on an engine: seconds
_DEPTH = 256  # of an ImageNet network, the pixels to one output of a layer that is rich in weights
_ABSOLUTE, _RELATIVE = 1e-6, 1e-5  # of the largest output, at least 1: float sums in another order


def add_optimize_option(to: argparse.ArgumentParser) -> None:
    """Add the option that says whether to rewrite layers."""
    to.add_argument(
        "--optimize", choices=(EDGE, NONE), default=EDGE, help="exact rewrites of the layers (default edge)"
    )


def add_form_options(to: argparse.ArgumentParser) -> None:
    """Add the options that say by which rewrites to export."""
    add_optimize_option(to)
    to.add_argument("--forms", choices=(EDGE, ALL), default=EDGE, help="all: write every form, for edgecnn tune")


def edge_rewrites(model_format: str, quantize: str) -> list[tuple[str, ...]]:
    """The rule `edge`: the rewrites to try, the first that applies and is proved equal being taken."""
    folded = [FORMS["crop_patches"], FORMS["patches"]] if (model_format, quantize) in _FOLDED else []
    return [*folded, FORMS["crop"]]


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


def difference(plain: Made, found: Made, exact: bool, multi_label: bool) -> str | None:
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
