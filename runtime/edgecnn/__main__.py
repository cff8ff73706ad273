"""`python -m edgecnn` is the command `edgecnn`."""

import sys

from edgecnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
