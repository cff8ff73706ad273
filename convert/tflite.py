"""Export a Keras classifier to TFLite; full int8 unless told otherwise.

The file is checked against its Keras parent on validation images, on every installed engine that runs it, before it
appears; it does not appear when it loses more than max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.tflite
  python -m convert.tflite artifacts/mnist/model.keras --quantize float16
  python -m convert.tflite --quantize int8 --keep-float auto
  python -m convert.tflite flowers.h5 --labels rose,tulip --normalization tf --calibration photos/
"""

import argparse
import sys
from collections.abc import Sequence

from convert.format_command import run_export
from convert.formats.tflite import QUANTIZATIONS, variant
from convert.processes.converter import survived
from convert.variant import Variant
from edgecnn.command import command, command_parser


@command
@survived
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.tflite`."""
    parser = command_parser("python -m convert.tflite", __doc__)
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="int8", help=_listed(QUANTIZATIONS))
    parser.add_argument("--no-per-channel", action="store_true", help="one scale for all of a layer's weights")

    def choose(options: argparse.Namespace, kept: tuple[str, ...]) -> Variant:
        return variant(options.quantize, options.batch, not options.no_per_channel, kept)

    return run_export(parser, argv, choose)


def _listed(choices: dict[str, str]) -> str:
    return "; ".join(f"{name}: {words}" for name, words in choices.items())


if __name__ == "__main__":
    sys.exit(main())
