"""Options that commands share, and how they are parsed."""

import argparse
from pathlib import Path

from convert.mixed_precision import AUTO
from convert.variant import ALL, EDGE, NONE, quantizations
from edgecnn import arguments
from edgecnn.verdict import MAX_DROP
from workstation.foreign_model import add_foreign_options
from workstation.rejection import add_reject_option


def add_parent_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a Keras model and the images that belong to it."""
    parser.add_argument(
        "model", type=Path, nargs="?", help="a .keras or .h5 file, or a SavedModel (default: the newest)"
    )
    add_image_options(parser)
    add_reject_option(parser, "default: as in training")
    add_foreign_options(parser)


def add_image_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the images that belong to a model."""
    parser.add_argument("--calibration", type=Path, metavar="SOURCE", help=".npz or folder of images (default: beside)")
    parser.add_argument("--calibration-count", type=arguments.count(), metavar="N", help="use N images drawn from it")
    parser.add_argument("--validation", type=Path, metavar="SOURCE", help=".npz or folder a label (default: beside)")


def add_quantization_options(parser: argparse.ArgumentParser, model_format: str) -> None:
    """Add the options that choose a row of the table of variants; a format's first row is the default."""
    rows = quantizations(model_format)
    words = "; ".join(f"{name}: {row.words}" for name, row in rows.items())
    parser.add_argument("--quantize", choices=rows, default=next(iter(rows)), help=words)
    parser.add_argument("--no-per-channel", action="store_true", help="one scale for all of a layer's weights")


def add_gate_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for how much a conversion may lose."""
    parser.add_argument(
        "--max-drop",
        type=arguments.share,
        default=MAX_DROP,
        help=f"share of right answers it may lose (default {MAX_DROP})",
    )


def add_keep_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that keeps layers in float."""
    words = f"int8: Keras layers that stay in float, or {AUTO!r}: the fewest that pass the gate"
    parser.add_argument("--keep-float", nargs="+", default=[], metavar="LAYER", help=words)


def add_optimize_option(parser: argparse.ArgumentParser) -> None:
    """Add the option for rewrites of the layers."""
    parser.add_argument(
        "--optimize", choices=(EDGE, NONE), default=EDGE, help="exact rewrites of the layers (default edge)"
    )


def add_form_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for rewrites of the layers, and for one file for each form."""
    add_optimize_option(parser)
    parser.add_argument("--forms", choices=(EDGE, ALL), default=EDGE, help="all: write every form, for edgecnn tune")


def batch(text: str) -> int | None:
    """Parse a fixed batch; None for `dynamic`."""
    if text == "dynamic":
        return None
    try:
        return arguments.count(1, arguments.BATCH)(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, nor 'dynamic'") from None
