"""What to do where an int8 conversion loses too much: the worst layers, and two commands that mend it, with their cost.

The cost of `--keep-float auto` is the share of multiply-accumulates in the layers that it tries first; that of
`train.qat` is time, worked out from how long the float model takes for images here.
"""

import shlex
import time
from math import prod
from typing import TYPE_CHECKING

from convert.conversion import Conversion
from convert.mixed_precision import AUTO, NOISE_IMAGES
from convert.parent import Parent
from convert.quantization_noise import Noise, candidates, named_noise, worst_first
from convert.variant import QAT_MODEL, Variant
from edgecnn.modelfile import ModelFile, find_manifest
from workstation.foreign_model import own_manifest
from workstation.keras_files.saved_model import is_saved_model
from workstation.keras_predict import predict
from workstation.quantization_aware import EPOCHS

if TYPE_CHECKING:
    import keras

_WORST = 3  # layers that are named
_TIMED = 2000  # validation images, at most, that the float model is timed on
_TRAINED = 10_000  # images that the cost of train.qat is said for
_TIMES = 8  # an image of train.qat beside one through the float model: 4 to 9, by measurement on MNIST


def remedies(parent: Parent, variant: Variant, conversion: Conversion) -> list[str]:
    """Lines for people; none where the conversion passed, or where neither command can help."""
    manifest = find_manifest(str(parent.path), conversion.data)
    if conversion.passed or not variant.can_keep_float or is_saved_model(parent.path) or manifest is None:
        return []
    keep = f"python -m convert.{variant.format} {_words(parent)} --quantize {variant.quantize} --keep-float {AUTO}"
    layers = named_noise(parent, ModelFile(parent.path, conversion.data, manifest), NOISE_IMAGES)
    lines = [_worst(layers), _floats(parent.model, candidates(layers)[:_WORST])]
    return [*lines, f"  {keep}", *([] if variant.trained else _training(parent))]


def _worst(layers: list[Noise]) -> str:
    worst = ", ".join(f"{noise.layer} ({noise.own_db:.0f} dB)" for noise in worst_first(layers)[:_WORST])
    return f"int8 loses most in {worst}; two commands mend it:"


def _floats(model: "keras.Model", layers: list[str]) -> str:
    """What it costs to keep layers in float."""
    products = _products(model)
    share = sum(products.get(layer, 0) for layer in layers) / max(1, sum(products.values()))
    return (
        "this keeps the fewest layers in float that pass, where they are slower; it tries"
        f" {', '.join(layers)} first ({share:.0%} of the multiply-accumulates):"
    )


def _products(model: "keras.Model") -> dict[str, int]:
    """Multiply-accumulates of an image by layer: a kernel's weights times the places that it is applied at."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer._inbound_nodes]
    places = {layer.name: layer._inbound_nodes[0].output_tensors[0].shape[1:-1] for layer in layers}
    return {
        layer.name: sum(prod(weight.shape) for weight in layer.weights if weight.path.endswith("kernel"))
        * prod(side or 1 for side in places[layer.name])
        for layer in layers
    }


def _training(parent: Parent) -> list[str]:
    output = shlex.quote(str(parent.path.with_name(QAT_MODEL)))
    return [
        "this trains on and needs the images of the training; every layer stays int8."
        f" {EPOCHS} epochs take about {_minutes(parent)} for each {_TRAINED:,} images here:",
        f"  python -m train.qat {_words(parent)} && python -m convert.tflite {output}",
    ]


def _minutes(parent: Parent) -> str:
    """How long a training takes, by how long the float model takes for validation images the second time."""
    images = parent.validation.sample(min(_TIMED, len(parent.validation))).images
    for _ in range(2):  # the first time TensorFlow compiles
        start = time.perf_counter()
        predict(parent.model, images, parent.manifest.input)
        seconds = time.perf_counter() - start
    minutes = seconds / len(images) * _TIMES * EPOCHS * _TRAINED / 60
    return f"{minutes:.0f} min" if minutes >= 1 else "a minute"


def _words(parent: Parent) -> str:
    """The model as a command names it; one without a manifest needs its options again."""
    is_foreign = own_manifest(parent.path) is None
    return shlex.quote(str(parent.path)) + (" ..." if is_foreign else "")
