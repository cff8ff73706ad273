"""What is said of networks that are named FILE.py:FUNCTION, a line each, where they do not fit."""

import sys

from edgecnn.errors import EdgecnnError
from train.networks import load_network

for words in sys.argv[1:]:
    try:
        load_network(words, (28, 28, 1), 10)
    except EdgecnnError as error:
        print(error)
