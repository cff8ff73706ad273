"""A function in a process of its own: what kills that process ends in an exception here.

An engine can kill the process that imports it (an instruction that the CPU lacks) or that opens a file it cannot stand.
"""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

_T = TypeVar("_T")


class DiedError(Exception):
    """The process ended without an answer; its text is how: `SIGILL`, `SIGSEGV`, or `exit status 3`."""


def apart(function: Callable[..., _T], *arguments: Any) -> _T:
    """Call a function of a module in a fresh process, and give what it gives or raise what it raises.

    Raises:
        DiedError: the process was killed, or ended by itself.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        succeeded, value = ours.recv()
    except EOFError:
        process.join()
        raise DiedError(_how(process.exitcode or 0)) from None
    except BaseException:
        process.kill()
        raise
    process.join()
    if not succeeded:
        raise value
    result: _T = value
    return result


def _answer(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    try:
        answer = (True, function(*arguments))
    except Exception as error:
        answer = (False, error)
    pipe.send(answer)


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
