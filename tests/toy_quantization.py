"""`python -m convert` with one row more in the table of variants: python tests/toy_quantization.py WORDS..."""

import sys

from convert import __main__ as convert
from convert.variant import VARIANTS, Variant

TOY = Variant(
    "tflite", "toy", "int8 within and out, by one scale a layer", weights="int8", activations="int8", per_channel=False
)

if __name__ == "__main__":
    VARIANTS["tflite:toy"] = TOY
    sys.exit(convert.main(sys.argv[1:]))
