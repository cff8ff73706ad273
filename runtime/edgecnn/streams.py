"""stdin, stdout and stderr, which may be closed, of few letters, full, or with a reader that leaves.

Whatever happens to them, a command goes on to its exit status.
"""

import codecs
import contextlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from edgecnn.errors import EdgecnnWarning
from edgecnn.escape import for_terminal

# What stands for a letter that a terminal's encoding lacks (Latin-1, ASCII, cp1252); others are escaped.
_PLAIN = {"─": "-", "–": "-", "—": "-", "…": "...", "→": "->", "±": "+-", "×": "x", "µ": "u", "°": " ", "’": "'"}
_LETTERS = "edgecnn.letters"


def _letters(error: UnicodeError) -> tuple[str, int]:
    """The handler of letters that cannot be encoded; file names that are not UTF-8 are escaped as JSON escapes them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    plain = (_PLAIN.get(letter) or letter.encode("ascii", "backslashreplace").decode() for letter in letters)
    return "".join(plain), error.end


codecs.register_error(_LETTERS, _letters)


def printable(text: str) -> str:
    """A text as stdout shows it, with the width that it has there."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, _LETTERS).decode(encoding, "replace")


class Stream:
    """A stream to write to: once a write fails, it drops everything, and `failure` is the reason."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_LETTERS)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write as far as possible."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._drop(error)
            return len(text)

    def flush(self) -> None:
        """Write what waits, as far as possible."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Put the null device in its place: Python would fail again when it ends."""
        self.failure = self.failure or error
        with Path(os.devnull).open("w") as null:
            os.dup2(null.fileno(), self._stream.fileno())


@contextlib.contextmanager
def lasting() -> Iterator[Stream]:
    """Make the three streams last for a command; gives its stdout."""
    _open_closed()
    kept = sys.stdout, sys.stderr
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield out
    finally:
        out.flush()
        err.flush()
        sys.stdout, sys.stderr = kept


def _open_closed() -> None:
    """Open the null device for a closed stream: else the next file opened would get its number, and its output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = Path(os.devnull).open(mode, encoding="utf-8")  # noqa: SIM115
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Keep all output off the screen meanwhile, native code's too; our own warnings are shown at the end.

    Yields:
        A function that returns the output so far.
    """
    with warnings.catch_warnings(record=True) as caught, _log() as log:

        def printed() -> str:
            log.seek(0)
            return log.read().decode(errors="replace")

        with _diverted(log):
            yield printed
    for warning in caught:
        if issubclass(warning.category, EdgecnnWarning):
            show_warning(warning.message)


@contextlib.contextmanager
def _diverted(log: BinaryIO) -> Iterator[None]:
    """Put a file in the place of stdout and stderr, for Python and for native code."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(1), os.dup(2)]
    try:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
        text = os.fdopen(os.dup(log.fileno()), "w", encoding="utf-8", errors="backslashreplace")
        with text, contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            yield
    finally:
        for number, original in zip((1, 2), kept, strict=True):
            os.dup2(original, number)
            os.close(original)


def _log() -> BinaryIO:
    """A file for output: in memory, since a device may have no place for temporary files."""
    with contextlib.suppress(AttributeError, OSError):  # not on Linux
        return os.fdopen(os.memfd_create("edgecnn"), "w+b")
    import tempfile

    with contextlib.suppress(OSError):
        return tempfile.TemporaryFile()
    return Path(os.devnull).open("w+b")


def show_warning(words: object) -> None:
    """Print a warning of ours as people read it."""
    print("warning:", for_terminal(" ".join(str(words).split())), file=sys.stderr)
