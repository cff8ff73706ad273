"""What is said to a host over SSH, and what it says: commands, answers in JSON, files.

Files and answers go through the session of a command, not through SFTP: where a shell greets, SFTP breaks, and what a
command says begins behind a mark. All that enters a host's shell is quoted here.
"""

import json
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Sequence
from typing import Any, BinaryIO

import gevent
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host

from deploy.inventory import CONNECT_SECONDS
from edgecnn.escape import for_terminal

_MARK = "edgecnn-begins-here"
_MOST = 50_000_000  # bytes that a command may say
_LINE = 300  # characters of a cause


class StepError(Exception):
    """Why a host's step failed, in one line."""


def plain(text: str) -> str:
    """What a host said, in one line of bounded length, without what a terminal would obey."""
    return for_terminal(" ".join(text.split())[:_LINE])


class Session:
    """A host's shell."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def connect(self) -> None:
        """Connect.

        Raises:
            StepError: it cannot be reached, refuses the key, or is not known.
        """
        try:
            self._host.connect(show_errors=False, raise_exceptions=True)
        except PyinfraError as error:
            raise StepError(_connect_cause(str(error.args[0] if error.args else error))) from None

    def send(self, file: BinaryIO, size: int, path: str) -> None:
        """Write a file there, whole or not at all."""
        folder, _, name = path.rpartition("/")
        here, there = quoted(f"{folder}/.{name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"), quoted(path)
        told = f"cat > {here} && test $(wc -c < {here}) -eq {size} && mv {here} {there} || {{ rm -f {here}; exit 1; }}"
        self.said(told, f"{name} could not be written there: is the disk full?", data=file)

    def is_there(self, path: str, size: int | None = None) -> bool:
        """Whether there is a file, and of that size where one is given."""
        right = f" && test $(wc -c < {quoted(path)}) -eq {size}" if size is not None else ""
        return self.said(f"test -e {quoted(path)}{right} && echo yes || echo no", "it cannot be looked at") == "yes"

    def json(self, command: str, otherwise: str, fine: Sequence[int] = (0,)) -> Any:
        """What a command prints there, as JSON."""
        said = self.said(command, otherwise, fine)
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            raise StepError(f"{otherwise}: what it says is no JSON: {said[-_LINE // 2 :]!r}") from None

    def said(self, command: str, otherwise: str, fine: Sequence[int] = (0,), data: BinaryIO | None = None) -> str:
        """What a command prints there, without what its shell greets with.

        Raises:
            StepError: it ended otherwise than `fine`; with the last line of what it said.
        """
        status, *streams = self._run(f"echo {_MARK}; echo {_MARK} >&2; {command}", data)
        greeted = [stream.decode(errors="replace").partition(f"{_MARK}\n") for stream in streams]
        (_, begun, said), (before, _, errors) = greeted
        if not begun:
            raise StepError(f"its shell runs no commands: {before.strip() or greeted[0][0].strip() or 'it is silent'}")
        if status not in fine:
            lines = [line for line in errors.splitlines() if line.strip()]
            causes = [line for line in lines if line.startswith("error: ")]
            last = f"{otherwise}: {lines[-1]}" if lines else otherwise
            raise StepError(causes[-1].removeprefix("error: ") if causes else last)
        return said.strip()

    def _run(self, command: str, data: BinaryIO | None) -> tuple[int, bytes, bytes]:
        """A command's exit status, stdout and stderr; `data` is its stdin.

        Raises:
            OSError: the connection broke.
        """
        transport = self._host.connector.client.get_transport()
        if transport is None or not transport.is_active():
            raise OSError("it is closed")
        channel = transport.open_session(timeout=CONNECT_SECONDS)
        try:
            channel.exec_command(f"sh -c {quoted(command)}")
            errors = gevent.spawn(channel.makefile_stderr("rb").read, _MOST)
            if data is not None:
                _feed(channel, data)
            channel.shutdown_write()
            output = channel.makefile("rb").read(_MOST)
            if len(output) == _MOST:
                raise StepError("it says more than anybody reads")
            status = channel.recv_exit_status()
            if status < 0:
                raise OSError("it ended without a status")
            return status, output, errors.get()
        finally:
            channel.close()


def _feed(channel: Any, data: BinaryIO) -> None:
    """Write to a command's stdin, as far as it reads: why it stopped is what its status and stderr say."""
    stdin = channel.makefile_stdin("wb")
    try:
        shutil.copyfileobj(data, stdin, 1 << 18)
        stdin.flush()
    except OSError:
        if not channel.get_transport().is_active():
            raise


def quoted(*words: str) -> str:
    """Words for a shell: whatever enters one passes here."""
    return " ".join(map(shlex.quote, words))


def in_shell(path: str) -> str:
    """A path for a shell, quoted but for a home that it begins with."""
    home, slash, rest = path.partition("/")
    return f"{home}/{quoted(rest)}" if slash and rest and re.fullmatch("~[A-Za-z0-9._-]*", home) else quoted(path)


def _connect_cause(said: str) -> str:
    """Why a host cannot be reached, with what to do."""
    if "Authentication" in said:
        return f"it refuses the key ({said}): ssh-copy-id puts yours there"
    if "not found in known_hosts" in said or "No host key" in said:
        return f"its host key is not known ({said}): ssh there once and compare the fingerprint"
    if "key" in said.lower() and "match" in said.lower():
        return f"its host key is another one than before ({said}): if it was set up anew, ssh-keygen -R"
    return f"it cannot be reached: {said}"
