"""The one exception for a user's mistake, and the one warning."""

import contextlib
import sys
import warnings
from collections.abc import Iterator
from operator import index


class EdgecnnError(Exception):
    """Something the user can mend; its text is one line that says what is wrong and how to mend it."""


class EdgecnnWarning(UserWarning):
    """Something the user may want to mend; its text is one line. The command line shows it as `warning: ...`."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it came from, and so on: of native code often only these tell what is wrong."""
    while error:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def check_share(value: float, name: str) -> None:
    """Check a share that came by a call.

    Raises:
        EdgecnnError: it is not a number from 0 to 1.
    """
    if not (isinstance(value, (int, float)) and 0 <= value <= 1):
        raise EdgecnnError(f"{name} is {value!r}: give a share from 0 to 1")


def check_count(value: int, name: str) -> int:
    """Check a count that came by a call, and give it as Python's int.

    Raises:
        EdgecnnError: it is not a whole number of 1 or more.
    """
    with contextlib.suppress(TypeError):
        if index(value) >= 1:
            return index(value)
    raise EdgecnnError(f"{name} is {value!r}: give a whole number of 1 or more")


def warn(line: str) -> None:
    """Warn of what goes on all the same; the place named is the first outside of this package."""
    level, frame, package = 1, sys._getframe(), __name__.partition(".")[0]
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(line, EdgecnnWarning, stacklevel=level)
