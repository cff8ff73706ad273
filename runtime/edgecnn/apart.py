"""A function, or an object, in a process of its own: what kills that process ends in an exception here.

An engine can kill the process that imports it (an instruction that the CPU lacks) or that opens a file it cannot stand.
"""

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


class DiedError(Exception):
    """The process ended without an answer; its text is how: `SIGILL`, `SIGSEGV`, or `exit status 3`."""


class Apart(Generic[_T]):
    """An object in a fresh process, whose methods are called from here; close it at the end.

    Args:
        build: a class or function of a module, which gives the object.
        arguments: that it takes.
    """

    def __init__(self, build: Callable[..., _T], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def call(self, method: Callable[..., _R], *arguments: Any) -> _R:
        """Call a method of the object, and give what it gives or raise what it, or the object's making, raises.

        Raises:
            DiedError: the process was killed, or ended by itself.
        """
        try:
            self._ours.send((method, arguments))
            succeeded, value = self._ours.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            raise DiedError(_how(self._process.exitcode or 0)) from None
        if not succeeded:
            raise value
        result: _R = value
        return result

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()
        self._ours.close()


def apart(function: Callable[..., _R], *arguments: Any) -> _R:
    """Call a function of a module in a fresh process, and give what it gives or raise what it raises.

    Raises:
        DiedError: the process was killed, or ended by itself.
    """
    process = Apart(_Nothing)
    try:
        result: _R = process.call(_called, function, arguments)
    finally:
        process.close()
    return result


class _Nothing:
    """What a function without an object is called on."""


def _called(_: _Nothing, function: Callable[..., _R], arguments: tuple[Any, ...]) -> _R:
    return function(*arguments)


def _serve(pipe: Connection, build: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """In the process: make the object, then answer calls until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    made, failure = None, None
    try:
        made = build(*arguments)
    except Exception as error:
        failure = error
    with contextlib.suppress(EOFError):
        while True:
            method, given = pipe.recv()
            try:
                if failure:
                    raise failure
                answer = (True, method(made, *given))
            except Exception as error:
                answer = (False, error)
            pipe.send(answer)


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
