"""Export a Keras classifier to ONNX: raw uint8 pixels in, float32 unless told otherwise.

The file is checked against its Keras parent on validation images before it appears; it does not appear when it loses
more than max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.onnx
  python -m convert.onnx artifacts/mnist/model.keras --quantize int8 --activation-type uint8
"""

import argparse
import sys
from collections.abc import Sequence

from convert.format_command import run_export
from convert.formats.onnx import QUANTIZATIONS, TYPES, variant
from convert.processes.converter import survived
from convert.variant import Variant
from edgecnn.command import command, command_parser


@command
@survived
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.onnx`."""
    parser = command_parser("python -m convert.onnx", __doc__)
    choices = "; ".join(f"{name}: {words}" for name, words in QUANTIZATIONS.items())
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="none", help=choices)
    parser.add_argument("--no-per-channel", action="store_true", help="int8: one scale for all of a layer's weights")
    parser.add_argument("--activation-type", choices=TYPES, default="int8", help="int8 only (default int8)")
    parser.add_argument("--weight-type", choices=TYPES, default="int8", help="int8 only (default int8)")
    parser.add_argument(
        "--reduce-range",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="int8: 7-bit weights, which x86-64 without VNNI adds up without saturating (default)",
    )

    def choose(options: argparse.Namespace, kept: tuple[str, ...]) -> Variant:
        return variant(
            options.quantize,
            options.batch,
            kept,
            per_channel=not options.no_per_channel,
            activation_type=options.activation_type,
            weight_type=options.weight_type,
            reduce_range=options.reduce_range,
        )

    return run_export(parser, argv, choose)


if __name__ == "__main__":
    sys.exit(main())
