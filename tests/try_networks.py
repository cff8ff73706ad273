"""Print the error of each network FILE.py:FUNCTION that does not fit, a line each."""

import sys

from edgecnn.errors import EdgecnnError
from train.own_network import load_network

for words in sys.argv[1:]:
    try:
        load_network(words, (28, 28, 1), 10)
    except EdgecnnError as error:
        print(error)
