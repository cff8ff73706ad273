"""Convert a Keras classifier to ONNX, which takes raw uint8 pixels; by default to float32.

The file is compared with its Keras parent on validation images. It is written only if it loses at most
max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.onnx
  python -m convert.onnx artifacts/mnist/model.keras --quantize int8 --activation-type uint8
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from convert.format_command import chosen_variant, parser_for, run
from convert.processes.converter import in_own_process
from convert.variant import Variant
from edgecnn.command import command

_TYPES = ("int8", "uint8")


@command
@in_own_process
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.onnx`."""
    parser = parser_for("onnx", __doc__)
    parser.add_argument("--activation-type", choices=_TYPES, default="int8", help="int8 only (default int8)")
    parser.add_argument("--weight-type", choices=_TYPES, default="int8", help="int8 only (default int8)")
    parser.add_argument(
        "--reduce-range",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="int8: 7-bit weights, which x86-64 without VNNI adds up without saturating (default)",
    )
    options = parser.parse_args(argv)
    return run(_with_types(chosen_variant("onnx", options), options), options)


def _with_types(variant: Variant, options: argparse.Namespace) -> Variant:
    """The variant; if it computes on integers, with the integer types that the options name."""
    if not variant.is_integer:
        return variant
    types = {"activations": options.activation_type, "weights": options.weight_type}
    return replace(variant, **types, reduce_range=options.reduce_range and not variant.trained)


if __name__ == "__main__":
    sys.exit(main())
