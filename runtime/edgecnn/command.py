"""The frame of every command: exit statuses, errors in one line, tables, JSON.

Exit status: 0 fine, 1 a gate failed, 2 the input was wrong (or Ctrl-C), 70 a fault of edgecnn itself.
"""

import argparse
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EACCES
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

from edgecnn.errors import EdgecnnError, EdgecnnWarning
from edgecnn.escape import for_json, for_terminal
from edgecnn.option_parser import Parser
from edgecnn.streams import Stream, lasting, show_warning
from edgecnn.streams import quiet as quiet  # noqa: PLC0414
from edgecnn.tables import table as table  # noqa: PLC0414

_P = ParamSpec("_P")

OK, GATE_FAILED, WRONG_INPUT, BROKEN = 0, 1, 2, 70  # the last is EX_SOFTWARE of sysexits.h
DEBUG = "EDGECNN_DEBUG"  # in the environment: stack traces are shown
_PACKAGES = {"edgecnn", "train", "convert", "benchmarks", "deploy", "workstation"}
_WORD = 300  # characters of a word in an error's line
_INTERRUPTED = "interrupted; what was begun was not written"


def command(main: Callable[_P, int]) -> Callable[_P, int]:
    """Make `main(argv)` end with a status whatever happens, and with one line if something is wrong.

    A user's mistake, Ctrl-C or a failing disk is `WRONG_INPUT`, an error that nobody foresaw is `BROKEN`. The status
    stays the same if nobody reads the output (`edgecnn check … | head -1`).
    """

    @functools.wraps(main)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> int:
        with lasting() as out, _own_warnings(), _heard_interrupts() as heard:
            try:
                status = main(*args, **kwargs)
            except SystemExit as end:  # of argparse, after --help or a wrong command line
                status = end.code if isinstance(end.code, int) else _failed(str(end.code)) if end.code else OK
            except BaseException as error:
                status = _ended(error, bool(heard), out)
            return _written(status, out)

    return guarded


def _ended(error: BaseException, interrupted: bool, out: Stream) -> int:
    """Print the line of the error that ended a command; its status."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    if interrupted or isinstance(error, KeyboardInterrupt):  # an import makes errors of its own of Ctrl-C
        return _failed(_INTERRUPTED)
    if error is out.failure and isinstance(error, BrokenPipeError):  # a stream's reader has what it wanted
        return OK
    if isinstance(error, EdgecnnError):
        return _failed(str(error))
    if isinstance(error, MemoryError):
        return _failed(f"memory ran out{f' ({error})' if str(error) else ''}: give it less at once, or more memory")
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return _failed(f"{where}{error.strerror or error}{_noexec(error)}")
    return _broken(error)


def _noexec(error: OSError) -> str:
    """The cure if a program or library of ours may not run in the folder for temporary files."""
    import tempfile

    with suppress(OSError):  # there is no such folder
        where = f"{error.filename or error}"
        if where.startswith(tempfile.gettempdir()) and (error.errno == EACCES or "failed to map segment" in where):
            return ": if its file system forbids programs (noexec), set TMPDIR to a folder of another"
    return ""


def _broken(error: BaseException) -> int:
    """Print the line of an error that nobody foresaw, for whoever mends it."""
    places = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    ours = [f"{path.name}:{line}" for path, line in places if _PACKAGES.intersection(path.parts[-3:-1])]
    _failed(
        f"{type(error).__name__}: {str(error)[:200]} (at {ours[-1]}): this is a fault of edgecnn's, not yours; please"
        f" report this line and the command to its maintainers ({DEBUG}=1 shows the stack trace)"
    )
    return BROKEN


def _written(status: int, out: Stream) -> int:
    """The status; a fine one becomes `WRONG_INPUT` if stdout could not be written."""
    out.flush()
    if status != OK or out.failure is None or isinstance(out.failure, BrokenPipeError):
        return status
    return _failed(f"stdout: {out.failure.strerror}")


def _failed(line: str) -> int:
    words = [word if len(word) <= _WORD else f"{word[:_WORD]}…" for word in line.split()]
    print("error:", for_terminal(" ".join(words)), file=sys.stderr)
    return WRONG_INPUT


@contextmanager
def _own_warnings() -> Iterator[None]:
    """Show warnings of ours as lines for people, those of others as Python does."""
    with warnings.catch_warnings():
        warnings.simplefilter("default", EdgecnnWarning)
        others = warnings.showwarning

        def show(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, EdgecnnWarning):
                show_warning(message)
            else:
                others(message, category, *where, **more)

        warnings.showwarning = show
        yield


@contextmanager
def _heard_interrupts() -> Iterator[list[int]]:
    """Note every Ctrl-C meanwhile; it raises KeyboardInterrupt as before."""
    heard: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        signal.default_int_handler(number, frame)

    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield heard
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield heard
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def command_parser(prog: str, doc: str | None, **options: Any) -> argparse.ArgumentParser:
    """An argument parser whose help is the module's docstring, with `--json` as every command has it."""
    parser = Parser(prog=prog, description=doc, **options)
    add_json(parser)
    return parser


def add_json(to: argparse.ArgumentParser) -> None:
    """Add the option that every command takes."""
    to.add_argument("--json", action="store_true", help="print one JSON document to stdout and nothing else")


def print_json(document: Any) -> None:
    """Print one JSON document to stdout."""
    print(_json(document, indent=2))


def stream_json(document: Any) -> None:
    """Print one JSON document in a line, at once.

    Raises:
        OSError: nobody reads it, or it cannot be written: a stream ends there.
    """
    print(_json(document), flush=True)
    failure = getattr(sys.stdout, "failure", None)
    if failure:
        raise failure


def _json(document: Any, indent: int | None = None) -> str:
    """JSON that stays JSON in any encoding."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf8sig")
    return for_json(json.dumps(document, indent=indent, ensure_ascii=not unicode))


def commit(folder: Path) -> str | None:
    """The commit of the checkout that a folder is in, `+` behind it if files differ; None outside of a checkout."""
    words = ["git", "describe", "--always", "--abbrev=12", "--dirty=+"]
    try:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def tell(line: str) -> None:
    """Say a line on stderr, at once, to whoever reads the log."""
    print(for_terminal(line), file=sys.stderr, flush=True)


def progress(line: str) -> None:
    """Show a line of progress on stderr, over the last one; only to people at a terminal."""
    if sys.stderr.isatty():
        line = for_terminal(line)[: shutil.get_terminal_size().columns - 1]  # what wraps is not cleared
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
