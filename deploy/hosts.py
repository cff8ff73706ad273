"""A host of a fleet, over pyinfra's SSH, and what is done there step by step; import it once gevent has patched all.

Files and answers go through the session of a command, not through SFTP: where a shell greets, SFTP breaks, and what a
command says begins behind a mark.
"""

import io
import json
import os
import re
import secrets
import shlex
import shutil
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import gevent
from paramiko import SSHException
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host

from deploy.bundlefile import Bundle
from deploy.inventory import CONNECT_SECONDS
from deploy.program import program
from edgecnn.files import zip_members

_PROGRAM = "install.pyz"
_MARK = "edgecnn-begins-here"
_MOST = 50_000_000  # bytes that a command may say
_LINE = 300  # characters of a cause
_PROBE = (
    "import json,os,platform,struct,sys;"
    "m=platform.machine();"
    "m={'aarch64':'armv7l','armv8l':'armv7l'}.get(m,m) if struct.calcsize('P')==4 else m;"
    "h=os.path.abspath(os.path.expanduser(sys.argv[1]));"
    "print(json.dumps({'python':'%d.%d'%sys.version_info[:2],'machine':m,'home':h}))"
)


class StepError(Exception):
    """Why a host's step failed, in one line."""


@dataclass(frozen=True)
class Order:
    """What is to be done on every host."""

    bundles: Sequence[Bundle]
    steps: Sequence[str]
    signers: bytes | None  # an allowed_signers file
    rollback: bool
    allow_downgrade: bool
    quick: bool  # of the bench
    timeout: float  # seconds that a step may take


@dataclass
class Outcome:
    """A host, and what became of it."""

    name: str
    step: str = "waiting"
    cause: str = ""  # why it failed
    fault: str = ""  # of ours: where
    done: bool = False
    changed: bool = False
    sent: int = 0  # bytes
    seconds: float = 0.0
    results: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """For fleet.json and `--json`."""
        state = "failed" if self.cause else "changed" if self.changed else "unchanged"
        known: dict[str, Any] = {"host": self.name, "state": state, "step": self.step, "cause": self.cause or None}
        known |= {"bytes_sent": self.sent, "seconds": round(self.seconds, 1), "summary": self.summary}
        return known | {"results": self.results} | ({"fault": self.fault} if self.fault else {})


def deploy(host: Host, order: Order, outcome: Outcome) -> None:
    """Do all steps on a host; whatever goes wrong becomes the outcome's cause."""
    start = time.perf_counter()
    try:
        _deploy(_Remote(host, order, outcome), order, outcome)
        outcome.step = "done"
    except StepError as error:
        outcome.cause = plain(str(error))
    except gevent.Timeout:
        outcome.cause = f"no end after {order.timeout:g} s: --timeout allows more"
    except gevent.GreenletExit:
        outcome.cause = "interrupted"
    except (OSError, EOFError, SSHException) as error:
        outcome.cause = plain(f"the connection broke ({error or type(error).__name__}): run it again")
    except Exception as error:  # the other hosts go on
        outcome.cause = plain(f"a fault of edgecnn ({error!r}): please report it with this host's JSON file")
        outcome.fault = traceback.format_exc()
    outcome.seconds, outcome.done = time.perf_counter() - start, True


def plain(text: str) -> str:
    """What a host said, in one line of bounded length, without what a terminal would obey."""
    line = " ".join(text.split())
    return "".join(each if each.isprintable() else "?" for each in line)[:_LINE]


def _deploy(remote: "_Remote", order: Order, outcome: Outcome) -> None:
    remote.step("connect", remote.connect)
    if order.rollback:
        outcome.results["rollback"] = remote.step("rollback", remote.rollback)
        outcome.changed = True
        return
    try:
        for step in order.steps:
            outcome.results[step] = remote.step(step, getattr(remote, step))
    finally:
        outcome.summary = summary(outcome.results)


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """What the report tells of a host's results: its words made plain, its figures figures."""
    winner = (results.get("tune") or {}).get("winner")
    rows = [row for run in results.get("bench") or [] for row in run["results"]]
    golden = (results.get("check") or {}).get("golden")
    return {
        "version": plain(str((results.get("install") or results.get("put") or {}).get("version", "–"))),
        "fastest": plain("{model} on {engine}, threads {threads}".format(**winner)) if winner else None,
        "p50_us": min((float(row["end_to_end"]["p50_us"]) for row in rows), default=None),
        "latency": sorted({plain(str(row["verdict"])) for row in rows}),
        "other_labels": sum(int(found["changed"]) for found in golden) if golden is not None else None,
    }


class _Remote:
    """A host that is connected, and its steps; each gives what it found."""

    def __init__(self, host: Host, order: Order, outcome: Outcome) -> None:
        self._host, self._order, self._outcome = host, order, outcome
        self._python = _in_shell(str(host.data.get("edgecnn_python") or "python3"))
        self._starter = host.data.get("edgecnn_starter")

    def step(self, name: str, function: Any) -> Any:
        """Run a step for as long as the order allows."""
        self._outcome.step = name
        with gevent.Timeout(self._order.timeout):
            return function()

    def connect(self) -> None:
        """Connect, and look at the host's Python."""
        try:
            self._host.connect(show_errors=False, raise_exceptions=True)
        except PyinfraError as error:
            raise StepError(_connect_cause(str(error.args[0] if error.args else error))) from None
        home = str(self._host.data.get("edgecnn_home") or "~/edgecnn")
        known = self._json(f"{self._python} -c {_quoted(_PROBE, home)}", f"{self._python} does not run there")
        self._device = {"python": known["python"], "machine": known["machine"]}
        self._home = str(known["home"])

    @property
    def _bundle(self) -> Bundle:
        """The first bundle that fits the host."""
        for bundle in self._order.bundles:
            if bundle.index["device"] == self._device:
                return bundle
        device = "Python {python} on {machine}".format(**self._device)
        raise StepError(f"no bundle is for {device}: python -m deploy.bundle --target, and name it with --bundle")

    def put(self) -> dict[str, Any]:
        """Bring bundle and installer there, unless this version is in use."""
        bundle = self._bundle
        self._said(f"mkdir -p {_quoted(f'{self._home}/incoming')}", "no folder can be made")
        installer = zip_members(program())
        self._send(io.BytesIO(installer), len(installer), _PROGRAM)
        if self._order.signers is not None:
            self._send(io.BytesIO(self._order.signers), len(self._order.signers), "allowed_signers")
        place = f"{self._home}/incoming/{bundle.version}.bundle"
        if self._in_use(bundle) or self._is_there(place, bundle.size):
            return {"version": bundle.version, "sent": False}
        # Of an hour ago: another fleet may be at work here.
        old = f"find {_quoted(f'{self._home}/incoming')} -type f -mmin +60 -exec rm -f {{}} +"
        self._said(old, "old bundles cannot be removed")
        try:
            file = bundle.path.open("rb")
        except OSError as error:
            raise StepError(f"{bundle.path} cannot be read here: {error.strerror}") from None
        with file:
            self._send(file, bundle.size, f"incoming/{bundle.version}.bundle")
        self._outcome.changed = True
        return {"version": bundle.version, "sent": True}

    def install(self) -> dict[str, Any]:
        """Install what was put there; take it into use if it passes its checks there."""
        bundle = self._bundle
        if self._in_use(bundle):
            return {"version": bundle.version, "changed": False}
        place = f"{self._home}/incoming/{bundle.version}.bundle"
        words = ["--bundle", place, *(["--starter", str(self._starter)] if self._starter else [])]
        found = self._installer(*words, *(["--allow-downgrade"] if self._order.allow_downgrade else []))
        if found.get("failures"):
            raise StepError(str(found["said"]))
        self._said(f"rm -f {_quoted(place)}", "the bundle cannot be removed")
        self._outcome.changed = self._outcome.changed or bool(found["changed"])
        return {"version": bundle.version, "changed": found["changed"]}

    def rollback(self) -> dict[str, Any]:
        """Take the version before into use again."""
        return self._installer("--rollback")

    def doctor(self) -> Any:
        """What `edgecnn doctor` says."""
        return self._edgecnn("doctor")

    def check(self) -> dict[str, Any]:
        """Answers beside the workstation's, and accuracy."""
        golden = self._edgecnn("golden", self._models)
        checks = {
            name: self._edgecnn("check", f"{self._models}/{name}", f"{self._models}/evaluation.npz")
            for name in self._names()
            if self._index().get("labelled", True)
        }
        failed = [name for name, found in checks.items() if found["verdict"] == "FAIL"]
        if failed or not all(each["passed"] for each in golden):
            raise StepError(f"check failed: {', '.join(failed) or 'answers are not the workstation’s'}")
        return {"golden": golden, "checks": checks}

    def tune(self) -> dict[str, Any]:
        """The fastest model, engine and threads; as they were, where that was found out already."""
        path = f"{self._models}/selection.json"
        if not self._outcome.changed and self._is_there(path):
            return {"winner": self._json(f"cat {_quoted(path)}", "it cannot be read")["winner"]}
        self._outcome.changed = True
        return {"winner": self._edgecnn("tune", self._models)["winner"]}

    def bench(self) -> list[dict[str, Any]]:
        """Latency of every model."""
        quick = ("--quick",) if self._order.quick else ()
        return [self._edgecnn("bench", f"{self._models}/{name}", *quick) for name in self._names()]

    @property
    def _models(self) -> str:
        return f"{self._home}/current/models"

    def _index(self) -> dict[str, Any]:
        path = f"{self._home}/current/index.json"
        index: dict[str, Any] = self._json(f"cat {_quoted(path)}", "nothing is installed")
        return index

    def _names(self) -> list[str]:
        return [str(name) for name in self._index()["models"]]

    def _edgecnn(self, *words: str) -> Any:
        """A command of the version in use, as JSON; a failed gate is no failure here."""
        told = _quoted(f"{self._home}/current/edgecnn", *words, "--json")
        return self._json(told, f"edgecnn {words[0]} failed", fine=(0, 1))

    def _installer(self, *words: str) -> dict[str, Any]:
        told = f"{self._python} -I {_quoted(f'{self._home}/{_PROGRAM}', '--to', self._home, '--json', *words)}"
        found: dict[str, Any] = self._json(told, "the installer failed", fine=(0, 1))
        return found

    def _in_use(self, bundle: Bundle) -> bool:
        found = self._installer("--status")
        return found["current"] == bundle.version and bool(found["works"])

    def _is_there(self, path: str, size: int | None = None) -> bool:
        right = f" && test $(wc -c < {_quoted(path)}) -eq {size}" if size is not None else ""
        return self._said(f"test -e {_quoted(path)}{right} && echo yes || echo no", "it cannot be looked at") == "yes"

    def _send(self, file: BinaryIO, size: int, name: str) -> None:
        """Write a file there, whole or not at all."""
        path = f"{self._home}/{name}"
        beside = f"{self._home}/.{name.replace('/', '-')}.{os.getpid()}-{secrets.token_hex(4)}.tmp"
        here, there = _quoted(beside), _quoted(path)
        told = f"cat > {here} && test $(wc -c < {here}) -eq {size} && mv {here} {there} || {{ rm -f {here}; exit 1; }}"
        self._said(told, f"{name} could not be written there: is the disk full?", data=file)
        self._outcome.sent += size

    def _json(self, command: str, otherwise: str, fine: Sequence[int] = (0,)) -> Any:
        """What a command prints there, as JSON."""
        said = self._said(command, otherwise, fine)
        try:
            return json.loads(said)
        except (ValueError, RecursionError):
            raise StepError(f"{otherwise}: what it says is no JSON: {said[-_LINE // 2 :]!r}") from None

    def _said(self, command: str, otherwise: str, fine: Sequence[int] = (0,), data: BinaryIO | None = None) -> str:
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
            channel.exec_command(f"sh -c {_quoted(command)}")
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


def _quoted(*words: str) -> str:
    """Words for a shell: whatever enters one passes here."""
    return " ".join(map(shlex.quote, words))


def _in_shell(path: str) -> str:
    """A path for a shell, quoted but for a home that it begins with."""
    home, slash, rest = path.partition("/")
    return f"{home}/{_quoted(rest)}" if slash and rest and re.fullmatch("~[A-Za-z0-9._-]*", home) else _quoted(path)


def _connect_cause(said: str) -> str:
    """Why a host cannot be reached, with what to do."""
    if "Authentication" in said:
        return f"it refuses the key ({said}): ssh-copy-id puts yours there"
    if "not found in known_hosts" in said or "No host key" in said:
        return f"its host key is not known ({said}): ssh there once and compare the fingerprint"
    if "key" in said.lower() and "match" in said.lower():
        return f"its host key is another one than before ({said}): if it was set up anew, ssh-keygen -R"
    return f"it cannot be reached: {said}"
