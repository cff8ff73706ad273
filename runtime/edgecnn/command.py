"""What every command shares: exit statuses, errors in one line, tables, JSON.

Exit status: 0 fine, 1 a gate failed, 2 the input was wrong (or Ctrl-C).
"""

import argparse
import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

from edgecnn.errors import EdgecnnError

_P = ParamSpec("_P")

OK, GATE_FAILED, WRONG_INPUT = 0, 1, 2
_INTERRUPTED = "interrupted; what was begun was not written"


def command(main: Callable[_P, int]) -> Callable[_P, int]:
    """Make `main(argv)` end a user's mistake, Ctrl-C or a failing disk with one line and `WRONG_INPUT`."""

    @functools.wraps(main)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> int:
        heard = _hear_interrupts()
        try:
            status = main(*args, **kwargs)
            sys.stdout.flush()
            return status
        except EdgecnnError as error:
            return _fail(str(error))
        except KeyboardInterrupt:
            return _fail(_INTERRUPTED)
        except BrokenPipeError:  # `edgecnn … | head`: the reader has what it wanted
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return OK
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            return _fail(f"{where}{error.strerror or error}")
        except Exception:
            if not heard:
                raise
            return _fail(_INTERRUPTED)  # an import makes errors of its own of Ctrl-C

    return guarded


def _hear_interrupts() -> list[int]:
    """Where Ctrl-C is noted from now on; it raises KeyboardInterrupt as before."""
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        signal.default_int_handler(number, frame)

    in_main = threading.current_thread() is threading.main_thread()
    if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, note)
    return heard


def _fail(line: str) -> int:
    print("error:", " ".join(line.split()), file=sys.stderr)
    return WRONG_INPUT


def parser(prog: str, doc: str | None, **options: Any) -> argparse.ArgumentParser:
    """An argument parser whose help is the module's docstring, with `--json` as every command has it."""
    made = argparse.ArgumentParser(
        prog=prog, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, **options
    )
    add_json(made)
    return made


def add_json(to: argparse.ArgumentParser) -> None:
    """Add the option that every command takes."""
    to.add_argument("--json", action="store_true", help="print one JSON document to stdout and nothing else")


def print_json(document: Any) -> None:
    """Print one JSON document to stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False))


def commit(folder: Path) -> str | None:
    """The commit of the checkout that a folder is in, `+` behind it where files differ; None outside of a checkout."""
    words = ["git", "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def progress(line: str) -> None:
    """Show on stderr what is being done, over the last such line; only to people at a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def quiet() -> Iterator[Callable[[], str]]:
    """Keep what is printed meanwhile off the screen, native code's too.

    Yields:
        A function that gives what was printed so far.
    """
    streams = (sys.stdout, sys.stderr)
    with tempfile.TemporaryFile() as log:

        def printed() -> str:
            log.seek(0)
            return log.read().decode(errors="replace")

        for stream in streams:
            stream.flush()
        kept = [os.dup(1), os.dup(2)]
        try:
            for number in (1, 2):
                os.dup2(log.fileno(), number)
            text = os.fdopen(os.dup(log.fileno()), "w")
            with text, contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
                yield printed
        finally:
            for number, original in zip((1, 2), kept, strict=True):
                os.dup2(original, number)
                os.close(original)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Lay out rows under a head: the first column left-aligned, the others right-aligned unless they are words."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    right = [bool(cells) and all(_is_figure(row[i]) for row in cells) for i in range(len(head))]

    def line(row: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if figure else cell.ljust(width)
            for cell, width, figure in zip(row, widths, right, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([line(head), line(["─" * width for width in widths]), *map(line, cells)])


def _is_figure(cell: str) -> bool:
    return cell[:1] in "0123456789+-–" if cell else True
