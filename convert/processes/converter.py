"""A conversion in a process of its own: TensorFlow's converters kill theirs over networks that they cannot stand.

The process is a fork, made before TensorFlow is loaded: it costs nothing, and what it loads it alone has loaded.
"""

import functools
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec

from edgecnn.child_process import DiedError
from edgecnn.command import BROKEN, command
from edgecnn.errors import EdgecnnError

_P = ParamSpec("_P")

_PATIENCE = 1.0  # seconds: a terminal tells Ctrl-C to the fork too, a single signal does not


def survived(main: Callable[_P, int]) -> Callable[_P, int]:
    """Run `main(argv)` in a fork, and tell in a line what killed it."""

    @functools.wraps(main)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> int:
        try:
            return forked(functools.partial(main, *args, **kwargs))
        except DiedError as death:
            raise EdgecnnError(died(death)) from None

    return guarded


def died(death: DiedError) -> str:
    """What is said of a converter that died."""
    memory = ", as where memory runs out" if str(death) == "SIGKILL" else ""
    return f"the converter died of this network ({death}{memory}): another format or quantization may do"


def forked(work: Callable[..., int], *arguments: Any, heard: Callable[[Any], None] | None = None) -> int:
    """Call `work` in a fork of this process, as a command.

    Args:
        work: gives an exit status.
        arguments: that it takes.
        heard: called here with what `work` tells there, by the function that it gets as its last argument.

    Returns:
        The exit status.

    Raises:
        DiedError: a signal killed the fork.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:  # what a killed process leaves goes with it
        process = context.Process(target=_become, args=(folder, work, (*arguments, *([theirs.send] if heard else ()))))
        process.start()
        theirs.close()
        _listen(process, ours, heard)
    status = process.exitcode or 0
    if status < 0:
        raise DiedError(signal.Signals(-status).name)
    return status


def _listen(process: BaseProcess, pipe: Connection, heard: Callable[[Any], None] | None) -> None:
    """Hand on what the fork tells until it ends; Ctrl-C is its to answer."""
    while True:
        try:
            while heard and not pipe.closed:
                try:
                    heard(pipe.recv())
                except EOFError:
                    pipe.close()
            process.join()
            return
        except KeyboardInterrupt:
            process.join(_PATIENCE)
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGINT)


def _become(folder: str, work: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    """In the fork: be the command."""
    tempfile.tempdir = folder
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(command(work)(*arguments))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(BROKEN)
