"""What to do where an int8 conversion loses too much: the worst layers, and two commands that mend it."""

import shlex

from convert.conversion import Conversion
from convert.mixed_precision import AUTO, NOISE_IMAGES
from convert.parent import Parent
from convert.quantization_noise import named_noise, worst_first
from convert.variant import QAT_MODEL, Variant
from edgecnn.manifest import Manifest
from edgecnn.modelfile import ModelFile, find_manifest
from workstation.foreign_model import own_manifest
from workstation.keras_files.saved_model import is_saved_model

_WORST = 3  # layers that are named


def remedies(parent: Parent, variant: Variant, conversion: Conversion) -> list[str]:
    """Lines for people; none where the conversion passed, or where neither command can help."""
    manifest = find_manifest(str(parent.path), conversion.data)
    if conversion.passed or not variant.can_keep_float or is_saved_model(parent.path) or manifest is None:
        return []
    keep = f"python -m convert.{variant.format} {_words(parent)} --quantize {variant.quantize} --keep-float {AUTO}"
    lines = [
        _worst(parent, manifest, conversion),
        "this keeps the fewest layers in float that pass; they are slower there:",
    ]
    return [*lines, f"  {keep}", *([] if variant.trained else _training(parent))]


def _worst(parent: Parent, manifest: Manifest, conversion: Conversion) -> str:
    layers = worst_first(named_noise(parent, ModelFile(parent.path, conversion.data, manifest), NOISE_IMAGES))
    worst = ", ".join(f"{noise.layer} ({noise.own_db:.0f} dB)" for noise in layers[:_WORST])
    return f"int8 loses most in {worst}; two commands mend it:"


def _training(parent: Parent) -> list[str]:
    output = shlex.quote(str(parent.path.with_name(QAT_MODEL)))
    return [
        "this trains on for a few epochs and needs the images of the training; every layer stays int8:",
        f"  python -m train.qat {_words(parent)} && python -m convert.tflite {output}",
    ]


def _words(parent: Parent) -> str:
    """The model as a command names it; one without a manifest needs its options again."""
    is_foreign = own_manifest(parent.path) is None
    return shlex.quote(str(parent.path)) + (" ..." if is_foreign else "")
