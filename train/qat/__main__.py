"""Train a model on so that it loses nothing as int8: its answers are rounded while it is fitted, as TFLite rounds.

It starts from any trained classifier that `python -m convert` takes, with its own answers as the teacher, and keeps the
epoch with the best accuracy on the validation images. It writes model_qat.keras beside the model: a plain Keras model,
with the ranges of its activations in its manifest. All converters use them: `python -m convert.tflite model_qat.keras`.

With --weights 4 the weights of convolutions and dense layers have 4 bits: C for microcontrollers stores two in a byte.
The first and the last layer keep 8 unless --all says so; depthwise convolutions keep 8.

The images are those that the model was trained on; for a model of another tool name them with --dataset.

Examples:
  python -m train.qat
  python -m train.qat artifacts/mnist/model.keras --epochs 3
  python -m train.qat artifacts/mnist/model.keras --weights 4
  python -m train.qat flowers.h5 --dataset flowers/ --labels rose,tulip --normalization tf
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn import arguments
from edgecnn.command import OK, command, command_parser, print_json, quiet, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable
from edgecnn.manifest import Manifest
from edgecnn.modelfile import newest_model
from train.datasets import DATA_SETS
from train.parent_images import data_set_name
from train.summary import in_epochs
from workstation.foreign_model import add_foreign_options, own_manifest
from workstation.quantization_aware import EPOCHS, FEW_BITS

if TYPE_CHECKING:
    from train.qat.result import Result

MOST_BITS = 8  # of weights


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m train.qat`."""
    options = _parsed(argv)
    if options.all and options.weights != FEW_BITS:
        raise EdgecnnError(f"--all says which layers have weights of {FEW_BITS} bits: say --weights {FEW_BITS} too")
    path = options.model or newest_model()
    manifest = own_manifest(path)
    _check(path, manifest)
    data_set_name(path, manifest, options.dataset)
    output = options.output or path.with_name("model_qat.keras")
    check_writable(output)
    with quiet():  # TensorFlow greets, and takes seconds to load: so only once the input is known to be good
        from train.qat.training import train

    result = train(path, manifest, output, options)
    if options.json:
        print_json(asdict(result))
    else:
        print(_summary(result))
    return OK


def _parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = command_parser("python -m train.qat", __doc__)
    parser.add_argument("model", type=Path, nargs="?", help="a .keras or .h5 file (default: the newest)")
    parser.add_argument("--epochs", type=arguments.count(), help=f"default {EPOCHS} (few images: up to 6 times that)")
    parser.add_argument(
        "--learning-rate", type=arguments.positive, default=5e-4, metavar="RATE", help="the highest (default 0.0005)"
    )
    parser.add_argument("--seed", type=arguments.seed, default=0, help="of order and distortions (default 0)")
    parser.add_argument(
        "--weights",
        type=int,
        choices=(FEW_BITS, MOST_BITS),
        default=MOST_BITS,
        help=f"bits of each (default {MOST_BITS})",
    )
    parser.add_argument("--all", action="store_true", help=f"the first and the last layer have {FEW_BITS} bits too")
    parser.add_argument("--resume", action="store_true", help="go on with a training that was cut off")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: model_qat.keras beside the model")
    images = parser.add_argument_group("images")
    images.add_argument(
        "--dataset", metavar="NAME", help=f"{', '.join(DATA_SETS)} or a folder (default: the model's own)"
    )
    images.add_argument("--data", type=Path, metavar="FOLDER", help="holds MNIST's four files (or set MNIST_DIR)")
    add_foreign_options(parser)
    return parser.parse_args(argv)


def _check(path: Path, manifest: Manifest | None) -> None:
    if manifest and manifest.format != "keras":
        raise EdgecnnError(f"{path} is a {manifest.format} model: name the .keras file it was made from")
    if manifest and manifest.trained_ranges:
        raise EdgecnnError(f"{path} went through train.qat already: name the float model, to go on use --resume")
    if manifest and manifest.multi_label:
        raise EdgecnnError(f"{path} gives each label a probability of its own: train.qat takes one label an image")


def _summary(result: "Result") -> str:
    rows = [
        ("float", f"{result.float_accuracy['validation']:.4f} on validation"),
        ("rounded before", f"{result.before['validation']:.4f} on validation"),
        (
            "rounded",
            f"{result.accuracy['validation']:.4f} on validation, {result.accuracy['evaluation']:.4f} on the test",
        ),
        ("against float", f"-{result.lost} +{result.gained} of {result.images} test images"),
        *([("weights of 4 bits", _coarse(result))] if result.bits else []),
        ("time", f"{result.seconds:.0f} s, {in_epochs(result.epochs)}"),
        ("written", result.output),
        ("next", f"python -m convert.tflite {result.output}"),
    ]
    return table(("", f"int8, seed {result.seed}"), rows)


def _coarse(result: "Result") -> str:
    """The layers that have weights of 4 bits."""
    names = [name for name, bits in result.bits.items() if bits == FEW_BITS]
    return f"{', '.join(names)} ({len(names)} of {len(result.bits)} layers)"


if __name__ == "__main__":
    sys.exit(main())
