"""A training that is killed once its first checkpoint is on the disk: python tests/killed.py WORDS...

It is `python -m train WORDS`, or `python -m train.qat` where that is the first word.
"""

import os
import signal
import sys
from pathlib import Path

from train import __main__ as train
from train.checkpoint import State
from train.qat import __main__ as qat

save = State.save


def save_and_die(state: State, path: Path) -> None:
    """Save a checkpoint as ever, then die without a chance to tidy up."""
    save(state, path)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    State.save = save_and_die
    words = sys.argv[1:]
    sys.exit(qat.main(words[1:]) if words[:1] == ["train.qat"] else train.main(words))
