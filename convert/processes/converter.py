"""A conversion in a process of its own: some networks make TensorFlow's converters kill their process.

The process is a fork, made before TensorFlow is loaded: a fork costs nothing, and only the fork loads TensorFlow.
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

_PATIENCE = 1.0  # seconds: a terminal sends Ctrl-C to the fork too, a single signal does not reach it


def in_own_process(main: Callable[_P, int]) -> Callable[_P, int]:
    """Decorate a command: `main(argv)` runs in a fork, and one line says what killed it."""

    @functools.wraps(main)
    def guarded(*args: _P.args, **kwargs: _P.kwargs) -> int:
        try:
            return run_in_fork(functools.partial(main, *args, **kwargs))
        except DiedError as death:
            raise EdgecnnError(cause(death)) from None

    return guarded


def cause(death: DiedError) -> str:
    """Why a converter died, and what to do, in words."""
    memory = ", as where memory runs out" if str(death) == "SIGKILL" else ""
    return f"the converter died of this network ({death}{memory}): another format or quantization may do"


def run_in_fork(work: Callable[..., int], *arguments: Any, on_message: Callable[[Any], None] | None = None) -> int:
    """Call `work` in a fork of this process, as a command.

    Args:
        work: returns an exit status.
        arguments: of `work`.
        on_message: called here with each message of `work`, which sends them by the function that is its last argument.

    Returns:
        The exit status.

    Raises:
        DiedError: a signal killed the fork.
    """
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:  # the temporary files of a killed process go with it
        process = context.Process(
            target=_become, args=(folder, work, (*arguments, *([sender.send] if on_message else ())))
        )
        process.start()
        sender.close()
        _listen(process, receiver, on_message)
    status = process.exitcode or 0
    if status < 0:
        raise DiedError(signal.Signals(-status).name)
    return status


def _listen(process: BaseProcess, receiver: Connection, on_message: Callable[[Any], None] | None) -> None:
    """Pass on the fork's messages until it ends; the fork answers Ctrl-C."""
    while True:
        try:
            while on_message and not receiver.closed:
                try:
                    on_message(receiver.recv())
                except EOFError:
                    receiver.close()
            process.join()
            return
        except KeyboardInterrupt:
            process.join(_PATIENCE)
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGINT)


def _become(folder: str, work: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    """In the fork: run as a command, and exit."""
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
