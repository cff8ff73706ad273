"""Find where int8 loses: an int8 model beside its float parent, layer by layer, the worst first.

Each layer has the name that it has in Keras. Its columns: the signal to quantization noise ratio (SQNR) of its own
rounding, and with the noise of all layers before, both means over channels; the cosine between both outputs; the share
of values at either end of the range; scale and zero point. A layer that stands out is a candidate for --keep-float.

Example:
  python -m convert.debug artifacts/mnist/model_int8.tflite
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from convert.mixed_precision import NOISE_IMAGES
from convert.options import add_image_options
from convert.parent import Parent, load_parent
from convert.processes.converter import in_own_process
from convert.quantization_noise import Noise, named_noise, worst_first
from convert.variant import QAT_MODEL, quantizations
from edgecnn import arguments
from edgecnn.command import OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable, write_file
from edgecnn.modelfile import ModelFile, read_model
from workstation.foreign_model import add_foreign_options
from workstation.keras_files.saved_model import is_saved_model

HEAD = ("layer", "own SQNR", "SQNR dB", "cosine", "low end", "high end", "scale", "zero")


@command
@in_own_process
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.debug`."""
    parser = command_parser("python -m convert.debug", __doc__)
    parser.add_argument("model", type=Path, help="an int8 .tflite or .onnx that edgecnn exported")
    parser.add_argument("--parent", type=Path, help="its float parent (default: model.keras beside it)")
    parser.add_argument(
        "--images", type=arguments.count(), default=NOISE_IMAGES, help=f"validation images (default {NOISE_IMAGES})"
    )
    parser.add_argument("--picture", type=Path, help="default: NAME_debug.png beside the model")
    add_image_options(parser)
    add_foreign_options(parser)
    parser.set_defaults(reject=0.0)  # of `load_parent`
    options = parser.parse_args(argv)
    model = read_model(options.model)
    _check_integer(model)
    picture = options.picture or options.model.with_name(f"{options.model.stem}_{options.model.suffix[1:]}_debug.png")
    check_writable(picture)
    layers = worst_first(named_noise(_parent(model, options), model, options.images))
    write_file(picture, draw(layers, str(options.model)))
    if options.json:
        print_json(
            {"model": str(options.model), "picture": str(picture), "layers": [asdict(noise) for noise in layers]}
        )
    else:
        print(table(HEAD, map(_cells, layers)))
        print(f"\n{picture}")
    return OK


def _check_integer(model: ModelFile) -> None:
    quantization = model.manifest.quantization
    row = quantizations(model.manifest.format).get(quantization)
    if row is None or not row.is_integer:
        raise EdgecnnError(f"{model.path} is {quantization}, not int8: export it with --quantize int8")


def _parent(model: ModelFile, options: argparse.Namespace) -> Parent:
    """The float parent of a model, of the same weights."""
    path = options.parent or _beside(model)
    if is_saved_model(path):
        raise EdgecnnError(f"{path} is a SavedModel, whose layers are gone: debug needs the .keras or .h5 file")
    parent = load_parent(path, options)
    if parent.manifest.weights_sha256 != model.manifest.weights_sha256:
        raise EdgecnnError(f"{model.path} was not made from {path}: name its parent with --parent")
    return parent


def _beside(model: ModelFile) -> Path:
    """The file beside a model that it was made from, by the name that trainings give it."""
    row = quantizations(model.manifest.format)[model.manifest.quantization]
    return model.path.with_name(QAT_MODEL if row.trained else "model.keras")


def _cells(noise: Noise) -> tuple[str, ...]:
    return (
        noise.layer,
        f"{noise.own_db:.1f}",
        f"{noise.sqnr_db:.1f}",
        f"{noise.cosine:.5f}",
        f"{noise.low:.1%}",
        f"{noise.high:.1%}",
        f"{noise.scale:.3g}",
        f"{noise.zero_point}",
    )


def draw(layers: Sequence[Noise], title: str) -> bytes:
    """Draw bars of each layer's own SQNR, the first on top, as a PNG."""
    from workstation.charts import bars

    xlabel = "signal to quantization noise of each layer's own rounding, dB (more is better)"
    names, values = [noise.layer for noise in layers], [noise.own_db for noise in layers]
    return bars(names, values, "%.1f", grid=True, title=title, xlabel=xlabel)


if __name__ == "__main__":
    sys.exit(main())
