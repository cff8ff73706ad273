"""What a program prints, or in a line why it failed."""

import subprocess

from edgecnn.command import OK
from edgecnn.errors import EdgecnnError


def output_of(*words: object) -> str:
    """Run a program to its end.

    Returns:
        What it printed.

    Raises:
        EdgecnnError: it failed, or was killed.
    """
    told = list(map(str, words))
    done = subprocess.run(told, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != OK:
        raise EdgecnnError(f"{told[0]} failed: {last_words(done.returncode, done.stderr)}")
    return done.stdout


def last_words(status: int, errors: str) -> str:
    """The last line of what a program that failed said; where it said nothing, how it ended."""
    ended = f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}"
    return (errors.strip() or ended).splitlines()[-1]
