"""`python -m convert` where the converter to full-int8 TFLite kills its process: python tests/dying.py WORDS..."""

import os
import signal
import sys

from convert import __main__ as convert
from convert.variant import Variant


def die(parent):
    os.kill(os.getpid(), signal.SIGSEGV)


if __name__ == "__main__":
    convert.VARIANTS["tflite:int8"] = (lambda name: Variant("tflite", name, die), "int8")
    sys.exit(convert.main(sys.argv[1:]))
