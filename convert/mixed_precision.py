"""Keep layers of an int8 model in float: those that are named, or the fewest that pass the gate."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from convert.gate import make
from convert.keras_files.saved_model import is_saved_model
from convert.layer_names import layer_names
from convert.parent import Parent
from convert.proof import Conversion
from convert.variant import NONE, Variant
from edgecnn.errors import EdgecnnError

AUTO = "auto"
NOISE_IMAGES = 64  # validation images that rank layers by their noise

Choose = Callable[[tuple[str, ...]], Variant]  # the variant with these layers in float


def check_keep(path: Path, keep: list[str], quantize: str) -> None:
    """Tell, before anything is loaded, what cannot be kept.

    Raises:
        EdgecnnError: the model is not int8, or has no layers.
    """
    if keep and quantize != "int8":
        raise EdgecnnError(f"--keep-float goes with --quantize int8, not with {quantize}")
    if keep and is_saved_model(path):
        raise EdgecnnError(f"{path} is a SavedModel, whose layers are gone: --keep-float needs the .keras or .h5 file")


def make_keeping(parent: Parent, keep: list[str], choose: Choose, max_drop: float) -> Conversion:
    """Convert with the layers `keep` in float; where it is `auto`, with as few as pass the gate.

    Raises:
        EdgecnnError: one of the layers is not in the model, or the conversion failed.
    """
    names = layer_names(parent.model)
    if keep == [AUTO]:
        made = make(parent, choose(()), max_drop)
        return made if made.passed else keep_fewest(parent, made, choose, max_drop)
    if strange := [name for name in keep if name not in names]:
        raise EdgecnnError(f"--keep-float {' '.join(strange)}: {parent.path} has the layers {', '.join(names)}")
    return make(parent, choose(tuple(keep)), max_drop)


def keep_fewest(parent: Parent, made: Conversion, choose: Choose, max_drop: float) -> Conversion:
    """Keep the noisiest layers in float, one more at a time until the gate passes; then drop those not needed.

    Returns:
        The model with the fewest layers in float that this finds; the last one tried where none passes.
    """
    from convert.quantization_noise import candidates, layer_noise

    variant = choose(())
    if made.rewrites:  # layers are kept, and ranked, as they are in Keras
        made = make(parent, replace(variant, optimize=NONE), max_drop)
    images = parent.validation.images[:NOISE_IMAGES]
    ranking = candidates(layer_noise(parent, made.data, variant.format, images))
    kept: tuple[str, ...] = ()
    while not made.passed and len(kept) < len(ranking):
        kept = tuple(ranking[: len(kept) + 1])
        print(f"trying with {', '.join(kept)} in float", file=sys.stderr)
        made = make(parent, choose(kept), max_drop)
    for layer in kept[:-1] if made.passed else ():
        fewer = tuple(name for name in kept if name != layer)
        tried = make(parent, choose(fewer), max_drop)
        if tried.passed:
            made, kept = tried, fewer
    return made
