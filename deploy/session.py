"""A host's shell over SSH: commands, their output and JSON, files.

Files and output go through the session of a command, not through SFTP, which breaks if the shell prints a greeting; a
mark shows where the output of the command begins. All that enters a host's shell is quoted here.
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
_MOST = 50_000_000  # bytes that a command may print
_LINE = 300  # characters of a cause


class StepError(Exception):
    """Why a host's step failed, in one line."""


def plain(text: str) -> str:
    """A host's text in one line of bounded length, without control characters."""
    return for_terminal(" ".join(text.split())[:_LINE])


class Session:
    """A host's shell."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def connect(self) -> None:
        """Connect.

        Raises:
            StepError: the host cannot be reached, refuses the key, or its host key is not known.
        """
        try:
            self._host.connect(show_errors=False, raise_exceptions=True)
        except PyinfraError as error:
            raise StepError(_connect_cause(str(error.args[0] if error.args else error))) from None

    def send(self, file: BinaryIO, size: int, path: str) -> None:
        """Write a file there, whole or not at all."""
        folder, _, name = path.rpartition("/")
        here, there = quoted(f"{folder}/.{name}.{os.getpid()}-{secrets.token_hex(4)}.tmp"), quoted(path)
        command = (
            f"cat > {here} && test $(wc -c < {here}) -eq {size} && mv {here} {there} || {{ rm -f {here}; exit 1; }}"
        )
        self.output(command, f"{name} could not be written there: is the disk full?", stdin=file)

    def is_there(self, path: str, size: int | None = None) -> bool:
        """Whether there is a file, of `size` bytes if that is not None."""
        right = f" && test $(wc -c < {quoted(path)}) -eq {size}" if size is not None else ""
        return self.output(f"test -e {quoted(path)}{right} && echo yes || echo no", "it cannot be looked at") == "yes"

    def json(self, command: str, problem: str, fine: Sequence[int] = (0,)) -> Any:
        """The JSON document that a command prints.

        Raises:
            StepError: as `output`, or what it prints is no JSON.
        """
        text = self.output(command, problem, fine)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise StepError(f"{problem}: its output is no JSON: {text[-_LINE // 2 :]!r}") from None

    def output(self, command: str, problem: str, fine: Sequence[int] = (0,), stdin: BinaryIO | None = None) -> str:
        """What a command prints, without the greeting of its shell.

        Args:
            command: in the language of sh.
            problem: what the error says if the command fails.
            fine: exit statuses of success.
            stdin: what the command reads.

        Raises:
            StepError: its exit status is not in `fine`; with the last line of its errors.
        """
        status, *streams = self._run(f"echo {_MARK}; echo {_MARK} >&2; {command}", stdin)
        (greeting, begun, text), (greeting_errors, _, errors) = (
            stream.decode(errors="replace").partition(f"{_MARK}\n") for stream in streams
        )
        if not begun:
            reason = greeting_errors.strip() or greeting.strip() or "it is silent"
            raise StepError(f"its shell runs no commands: {reason}")
        if status not in fine:
            raise StepError(_failure_cause(errors, problem))
        return text.strip()

    def _run(self, command: str, stdin: BinaryIO | None) -> tuple[int, bytes, bytes]:
        """Run a command.

        Returns:
            Its exit status, stdout and stderr.

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
            if stdin is not None:
                _feed(channel, stdin)
            channel.shutdown_write()
            output = channel.makefile("rb").read(_MOST)
            if len(output) == _MOST:
                raise StepError("its output has no end")
            status = channel.recv_exit_status()
            if status < 0:
                raise OSError("it ended without a status")
            return status, output, errors.get()
        finally:
            channel.close()


def _feed(channel: Any, data: BinaryIO) -> None:
    """Write to a command's stdin, as far as it reads: its status and stderr say why it stopped."""
    stdin = channel.makefile_stdin("wb")
    try:
        shutil.copyfileobj(data, stdin, 1 << 18)
        stdin.flush()
    except OSError:
        if not channel.get_transport().is_active():
            raise


def _failure_cause(errors: str, problem: str) -> str:
    """The last line of a command's errors that names a cause: ours begin with `error: `."""
    lines = [line for line in errors.splitlines() if line.strip()]
    causes = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if causes:
        return causes[-1]
    return f"{problem}: {lines[-1]}" if lines else problem


def quoted(*words: str) -> str:
    """Words for a shell, quoted: whatever enters a shell passes here."""
    return " ".join(map(shlex.quote, words))


def in_shell(path: str) -> str:
    """A path for a shell, quoted except for a `~` or `~user` at its beginning."""
    home, slash, rest = path.partition("/")
    return f"{home}/{quoted(rest)}" if slash and rest and re.fullmatch("~[A-Za-z0-9._-]*", home) else quoted(path)


def _connect_cause(error: str) -> str:
    """Why a host cannot be reached, and what to do."""
    if "Authentication" in error:
        return f"it refuses the key ({error}): ssh-copy-id puts yours there"
    if "not found in known_hosts" in error or "No host key" in error:
        return f"its host key is not known ({error}): ssh there once and compare the fingerprint"
    if "key" in error.lower() and "match" in error.lower():
        return f"its host key is another one than before ({error}): if it was set up anew, ssh-keygen -R"
    return f"it cannot be reached: {error}"
