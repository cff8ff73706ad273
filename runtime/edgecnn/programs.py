"""Run another program to its end; if it fails, its last line is the reason."""

import subprocess
from collections.abc import Sequence
from typing import Any

from edgecnn.errors import EdgecnnError


def run_program(
    *words: object, failure: str = "", fine: Sequence[int] = (0,), **options: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a program, and capture what it prints.

    Args:
        words: the program and its arguments.
        failure: begins the line of an error; by default it names the program.
        fine: the exit statuses that are no failure.
        options: for `subprocess.run`.

    Raises:
        EdgecnnError: it is missing, was killed, or ended with another status.
    """
    command = list(map(str, words))
    try:
        ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, **options)
    except FileNotFoundError:
        raise EdgecnnError(f"{command[0]} is missing: install it") from None
    if ended.returncode not in fine:
        reason = last_line(ended.returncode, ended.stderr.strip() or ended.stdout)
        raise EdgecnnError(f"{failure or f'{command[0]} failed'}: {reason}")
    return ended


def last_line(status: int, errors: str) -> str:
    """The last line that a failed program printed to stderr; if it printed none, how it ended."""
    end = f"it was killed by signal {-status}" if status < 0 else f"it ended with status {status}"
    return (errors.strip() or end).splitlines()[-1]
