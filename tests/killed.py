"""`python -m train` that is killed once its first checkpoint is on the disk: python tests/killed.py WORDS..."""

import os
import signal
import sys
from pathlib import Path

from train import __main__ as train
from train.checkpoint import State

save = State.save


def save_and_die(state: State, path: Path) -> None:
    """Save a checkpoint as ever, then die without a chance to tidy up."""
    save(state, path)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    State.save = save_and_die
    sys.exit(train.main(sys.argv[1:]))
