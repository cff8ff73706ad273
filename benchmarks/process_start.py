"""The time from the start of a process to its first line."""

import os
import subprocess
import time

from edgecnn.errors import EdgecnnError
from edgecnn.programs import last_line


def first_line(*words: object, environment: dict[str, str]) -> tuple[float, str]:
    """Run a program to its end.

    Returns:
        Seconds from its start to its first line, and all that it prints.

    Raises:
        EdgecnnError: it fails, or prints nothing.
    """
    command = list(map(str, words))
    begin = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        first = process.stdout.readline() if process.stdout else b""
        seconds = time.perf_counter() - begin
        rest, errors = process.communicate()
    if process.returncode or not first:
        raise EdgecnnError(f"{command[0]} failed: {last_line(process.returncode, errors.decode(errors='replace'))}")
    return seconds, (first + rest).decode()


def with_byte_code(folder: str) -> dict[str, str]:
    """An environment in which Python keeps its byte code in a folder, as pip leaves it in an installation."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment
