"""The one exception for a user's mistake, and the one warning."""

import sys
import warnings
from collections.abc import Iterator


class EdgecnnError(Exception):
    """A mistake that the user can mend; its text is one line that says what is wrong and how to mend it."""


class NoCharacterError(EdgecnnError):
    """A picture shows no character: to a classifier it is an unknown thing."""


class PictureFormatError(EdgecnnError):
    """What is to be a picture is none, or is of a format that is not read here."""


class PictureSizeError(EdgecnnError):
    """A picture has more pixels than are read."""


class EdgecnnWarning(UserWarning):
    """A doubt that the user may want to mend; its text is one line. The command line shows it as `warning: ...`."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, its cause, the cause of that, and so on: of native code often only these say what is wrong."""
    while error:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def warn(line: str) -> None:
    """Warn, and go on; the warning names the first caller outside of this package."""
    level, frame, package = 1, sys._getframe(), __name__.partition(".")[0]
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] == package:
        level, frame = level + 1, frame.f_back
    warnings.warn(line, EdgecnnWarning, stacklevel=level)
