"""What a program that fails leaves is one line."""

import sys

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.programs import run_program


def test_a_program_is_run_and_heard() -> None:
    assert run_program(sys.executable, "-c", "print(2)").stdout == "2\n"
    assert run_program(sys.executable, "-c", "raise SystemExit(1)", fine=(0, 1)).returncode == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; print('first', file=sys.stderr); sys.exit('the last')", "it is broken: the last"),
        ("print('on stdout'); raise SystemExit(3)", "it is broken: on stdout"),
        ("raise SystemExit(3)", "it is broken: it ended with status 3"),
        ("import os; os.kill(os.getpid(), 9)", "it is broken: it was killed by signal 9"),
    ],
)
def test_a_failure_ends_with_its_last_line(code: str, reason: str) -> None:
    with pytest.raises(EdgecnnError) as caught:
        run_program(sys.executable, "-c", code, failure="it is broken")
    assert str(caught.value) == reason


def test_a_program_that_is_missing_is_named() -> None:
    with pytest.raises(EdgecnnError, match="no-such-program is missing"):
        run_program("no-such-program")
