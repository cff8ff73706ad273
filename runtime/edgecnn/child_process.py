"""A function, or an object, in a child process: a death of that process is an exception in this one.

An engine can kill the process that imports it (an instruction that the CPU lacks) or that opens a damaged file.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Generic, TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")
_SAFE_PATH = "PYTHONSAFEPATH"
_STARTING = threading.Lock()


class DiedError(Exception):
    """The process ended without an answer; the text says how: `SIGILL`, `no answer in 30 s`, or `exit status 3`."""


@dataclass(frozen=True)
class Limits:
    """Bounds of a child process."""

    seconds: float  # for an answer
    megabytes: int  # of memory, beyond Python's own; held on Linux alone


class ChildProcess(Generic[_T]):
    """An object in a fresh process, whose methods are called from here; close it at the end.

    Args:
        build: a class or function of a module, which returns the object.
        arguments: of `build`.
        limits: bounds of the process.
    """

    def __init__(self, build: Callable[..., _T], *arguments: Any, limits: Limits | None = None) -> None:
        self._limits = limits
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        with _safe_path() as before:
            words = theirs, build, arguments, limits, before
            self._process = context.Process(target=_serve, args=words, daemon=True)
            self._process.start()
        theirs.close()

    def call(self, method: Callable[..., _R], *arguments: Any) -> _R:
        """Call a method of the object.

        Returns:
            The method's result. An exception of the method, or of `build`, is raised here.

        Raises:
            DiedError: the process was killed, ended by itself, or took too long.
        """
        try:
            self._ours.send((method, arguments))
            if self._limits and not self._ours.poll(self._limits.seconds):
                raise DiedError(f"no answer in {self._limits.seconds:g} s")
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


def in_child(function: Callable[..., _R], *arguments: Any, limits: Limits | None = None) -> _R:
    """Call a function of a module in a fresh process.

    Returns:
        The function's result. An exception of the function is raised here.

    Raises:
        DiedError: the process was killed, ended by itself, or took too long.
        MemoryError: it asked for more than `limits` allow.
    """
    process = ChildProcess(_Nothing, limits=limits)
    try:
        result: _R = process.call(_called, function, arguments)
    finally:
        process.close()
    return result


@contextlib.contextmanager
def _safe_path() -> Iterator[str | None]:
    """Keep the working folder off the path of a Python that starts; yields the variable's value of before.

    multiprocessing starts it by `-c`, which puts that folder first: a numpy.py lying beside a model would run. Python
    3.10 does not know the variable.
    """
    with _STARTING:  # another thread that starts one would read our value as the one before
        before = os.environ.get(_SAFE_PATH)
        _set_safe_path("1")
        try:
            yield before
        finally:
            _set_safe_path(before)


def _set_safe_path(value: str | None) -> None:
    if value is None:
        os.environ.pop(_SAFE_PATH, None)
    else:
        os.environ[_SAFE_PATH] = value


class _Nothing:
    """The object of a function that needs none."""


def _called(_: _Nothing, function: Callable[..., _R], arguments: tuple[Any, ...]) -> _R:
    return function(*arguments)


def _serve(
    pipe: Connection,
    build: Callable[..., Any],
    arguments: tuple[Any, ...],
    limits: Limits | None,
    safe_path: str | None,
) -> None:
    """In the child: build the object, then answer calls until the pipe ends."""
    _set_safe_path(safe_path)  # for the programs that it starts
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    if limits:
        _bound(limits.megabytes)
    target, failure = None, None
    try:
        target = build(*arguments)
    except Exception as error:
        failure = error
    with contextlib.suppress(EOFError):
        while True:
            method, values = pipe.recv()
            try:
                if failure:
                    raise failure
                answer = (True, method(target, *values))
            except Exception as error:
                answer = (False, error)
            pipe.send(answer)


def _bound(megabytes: int) -> None:
    """Bound the memory of this process to so much beyond its present size, and let it leave no core file."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on Windows; not on other kernels than Linux
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        words = Path("/proc/self/status").read_text().split()
        most = 1024 * int(words[words.index("VmData:") + 1]) + megabytes * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
