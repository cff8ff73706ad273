"""`python -m convert` whose converter to int8 TFLite kills its process: python tests/dying_converter.py WORDS..."""

import os
import signal
import sys
from dataclasses import replace

from convert import __main__ as convert
from convert.formats import FORMATS
from convert.variant import PLAIN

tflite = FORMATS["tflite"]


def die_of_int8(parent, variant):
    if variant.quantize == PLAIN.quantize:
        os.kill(os.getpid(), signal.SIGSEGV)
    return tflite.convert(parent, variant)


if __name__ == "__main__":
    FORMATS["tflite"] = replace(tflite, convert=die_of_int8)
    sys.exit(convert.main(sys.argv[1:]))
