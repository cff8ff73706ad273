"""Convert a Keras classifier to TFLite, by default to full int8.

The file is compared with its Keras parent on validation images, on every installed engine. It is written only if it
loses at most max(1, floor(max-drop * images)) right answers, net, on each of them.

Examples:
  python -m convert.tflite
  python -m convert.tflite artifacts/mnist/model.keras --quantize float16
  python -m convert.tflite --quantize int8 --keep-float auto
  python -m convert.tflite flowers.h5 --labels rose,tulip --normalization tf --calibration photos/
"""

import sys
from collections.abc import Sequence

from convert.format_command import chosen_variant, parser_for, run
from convert.processes.converter import in_own_process
from edgecnn.command import command


@command
@in_own_process
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.tflite`."""
    options = parser_for("tflite", __doc__).parse_args(argv)
    return run(chosen_variant("tflite", options), options)


if __name__ == "__main__":
    sys.exit(main())
