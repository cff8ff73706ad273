"""Layers of an int8 model that stay in float: those that are named, or the fewest with which the gate passes."""

import sys
from dataclasses import replace
from pathlib import Path

from convert.conversion import Conversion
from convert.gate import convert_and_prove
from convert.parent import Parent
from convert.quantization_noise import candidates, layer_noise
from convert.variant import NONE, Variant
from edgecnn.errors import EdgecnnError
from workstation.keras_files.saved_model import is_saved_model
from workstation.layer_names import layer_names

AUTO = "auto"
NOISE_IMAGES = 64  # validation images that rank layers by their noise


def check_keep_float(path: Path, layers: list[str], variant: Variant) -> None:
    """Refuse, before anything is loaded, what --keep-float cannot do.

    Raises:
        EdgecnnError: the variant is not int8, or the model has no layers.
    """
    if layers and not variant.can_keep_float:
        raise EdgecnnError(f"--keep-float goes with --quantize int8, not with {variant.quantize}")
    if layers and is_saved_model(path):
        raise EdgecnnError(f"{path} is a SavedModel, whose layers are gone: --keep-float needs the .keras or .h5 file")


def convert_keeping(parent: Parent, variant: Variant, layers: list[str], max_drop: float) -> Conversion:
    """Convert with these layers in float; for `auto`, with as few as let the gate pass.

    Raises:
        EdgecnnError: one of the layers is not in the model, or the conversion failed.
    """
    if layers == [AUTO]:
        plain = convert_and_prove(parent, variant, max_drop)
        return plain if plain.passed else keep_fewest(parent, variant, plain, max_drop)
    names = layer_names(parent.model)
    if strange := [name for name in layers if name not in names]:
        raise EdgecnnError(f"--keep-float {' '.join(strange)}: {parent.path} has the layers {', '.join(names)}")
    return convert_and_prove(parent, replace(variant, kept=tuple(layers)), max_drop)


def keep_fewest(parent: Parent, variant: Variant, plain: Conversion, max_drop: float) -> Conversion:
    """Keep the noisiest layers in float, one more at a time until the gate passes; then drop those not needed.

    Args:
        parent: the float parent.
        variant: of the conversion that failed.
        plain: that conversion.
        max_drop: share of right answers that may be lost.

    Returns:
        The conversion with the fewest layers in float that this finds; the last one where none passes.
    """
    if plain.rewrites:  # layers are kept, and ranked, as they are in Keras
        plain = convert_and_prove(parent, replace(variant, optimize=NONE), max_drop)
    images = parent.validation.sample(NOISE_IMAGES).images
    ranking = candidates(layer_noise(parent, plain.data, variant.format, images))
    best, kept = plain, tuple[str, ...]()
    while not best.passed and len(kept) < len(ranking):
        kept = tuple(ranking[: len(kept) + 1])
        print(f"trying with {', '.join(kept)} in float", file=sys.stderr)
        best = convert_and_prove(parent, replace(variant, kept=kept), max_drop)
    for layer in kept[:-1] if best.passed else ():
        fewer = tuple(name for name in kept if name != layer)
        conversion = convert_and_prove(parent, replace(variant, kept=fewer), max_drop)
        if conversion.passed:
            best, kept = conversion, fewer
    return best
