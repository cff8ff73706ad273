"""A host of a fleet, over pyinfra's SSH, and what is done there step by step; import it once gevent has patched all."""

import io
import json
import logging
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from paramiko import SSHException
from pyinfra.api import Config, State, StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.host import Host
from pyinfra.context import ctx_state
from pyinfra_cli.exceptions import CliError
from pyinfra_cli.inventory import make_inventory

from edgecnn.errors import EdgecnnError

CONNECT_SECONDS = 15
INSTALLER = Path(__file__).with_name("install.py")

_PROBE = (
    "import json,os,platform,struct,sys;"
    "m=platform.machine();"
    "m={'aarch64':'armv7l','armv8l':'armv7l'}.get(m,m) if struct.calcsize('P')==4 else m;"
    "print(json.dumps({'python':'%d.%d'%sys.version_info[:2],'machine':m,'home':os.path.expanduser('~')}))"
)


class StepError(Exception):
    """Why a host's step failed, in one line."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on this machine, and its index."""

    path: Path
    index: dict[str, Any]

    @property
    def version(self) -> str:
        """What it is called on a device."""
        return str(self.index["version"])


@dataclass(frozen=True)
class Order:
    """What is to be done on every host."""

    bundles: Sequence[Bundle]
    steps: Sequence[str]
    signers: Path | None
    rollback: bool
    quick: bool  # of the bench
    timeout: float  # seconds that a step may take


@dataclass
class Outcome:
    """A host, and what became of it."""

    name: str
    step: str = "waiting"
    cause: str = ""  # why it failed
    done: bool = False
    changed: bool = False
    sent: int = 0  # bytes
    seconds: float = 0.0
    results: dict[str, Any] = field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """For fleet.json and `--json`."""
        state = "failed" if self.cause else "changed" if self.changed else "unchanged"
        known = {"host": self.name, "state": state, "step": self.step, "cause": self.cause or None}
        return known | {"bytes_sent": self.sent, "seconds": round(self.seconds, 1), "results": self.results}


def load_hosts(inventory: str, parallel: int) -> list[Host]:
    """The hosts of a pyinfra inventory: a file, or names separated by commas.

    Raises:
        EdgecnnError: there is no such inventory, or it cannot be read.
    """
    logging.getLogger("pyinfra").setLevel(logging.CRITICAL + 1)  # what it says is said by us, in one line a host
    logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
    if inventory.endswith(".py") and not Path(inventory).exists():
        raise EdgecnnError(f"{inventory} does not exist: name a pyinfra inventory, or hosts separated by commas")
    state = State()
    ctx_state.set(state)  # which inventories are read into
    try:
        found = make_inventory(inventory)
    except (CliError, TypeError, SyntaxError, OSError) as error:
        raise EdgecnnError(f"{inventory} is no inventory of pyinfra: {error}") from None
    if not len(found):
        raise EdgecnnError(f"{inventory} names no host")
    for host in found:
        if host.data.get("ssh_strict_host_key_checking") is None:  # pyinfra would take a key that it never saw
            host.data.ssh_strict_host_key_checking = "yes"
    state.init(found, Config(CONNECT_TIMEOUT=CONNECT_SECONDS, PARALLEL=parallel))
    return list(found)


def deploy(host: Host, order: Order, outcome: Outcome) -> None:
    """Do all steps on a host; whatever goes wrong becomes the outcome's cause."""
    start = time.perf_counter()
    try:
        _deploy(_Remote(host, order, outcome), order, outcome)
        outcome.step = "done"
    except StepError as error:
        outcome.cause = " ".join(str(error).split())
    except gevent.Timeout:
        outcome.cause = f"no end after {order.timeout:g} s: --timeout allows more"
    except (OSError, EOFError, SSHException, AttributeError) as error:  # paramiko's channel of a dead link is None
        outcome.cause = f"the connection broke ({str(error) or type(error).__name__}): run it again"
    outcome.seconds, outcome.done = time.perf_counter() - start, True


def _deploy(remote: "_Remote", order: Order, outcome: Outcome) -> None:
    remote.step("connect", remote.connect)
    if order.rollback:
        outcome.results["rollback"] = remote.step("rollback", remote.rollback)
        outcome.changed = True
        return
    for step in order.steps:
        outcome.results[step] = remote.step(step, getattr(remote, step))


class _Remote:
    """A host that is connected, and its steps; each gives what it found."""

    def __init__(self, host: Host, order: Order, outcome: Outcome) -> None:
        self._host, self._order, self._outcome = host, order, outcome
        self._python = str(host.data.get("edgecnn_python") or "python3")
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
        except ConnectError as error:
            raise StepError(_connect_cause(str(error.args[0]))) from None
        said = self._said(f"{self._python} -c {shlex.quote(_PROBE)}", f"{self._python} does not run there")
        known = json.loads(said)
        self._device = {"python": known["python"], "machine": known["machine"]}
        home = str(self._host.data.get("edgecnn_home") or "~/edgecnn")
        self._home = known["home"] + home[1:] if home.startswith("~") else home

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
        self._shell(f"mkdir -p {shlex.quote(self._home)}/incoming", "no folder can be made")
        self._send(INSTALLER.read_bytes(), "install.py")
        if self._order.signers:
            self._send(self._order.signers.read_bytes(), "allowed_signers")
        place = f"{self._home}/incoming/{bundle.version}.bundle"
        if self._installer("--status")["current"] == bundle.version or self._is_there(place):
            return {"version": bundle.version, "sent": False}
        self._shell(f"rm -f {shlex.quote(self._home)}/incoming/*", "old bundles cannot be removed")
        self._send(bundle.path.read_bytes(), f"incoming/{bundle.version}.bundle")
        self._outcome.changed = True
        return {"version": bundle.version, "sent": True}

    def install(self) -> dict[str, Any]:
        """Install what was put there; take it into use if it passes its checks there."""
        bundle = self._bundle
        if self._installer("--status")["current"] == bundle.version:
            return {"version": bundle.version, "changed": False}
        starter = ("--starter", str(self._starter)) if self._starter else ()
        found = self._installer("--bundle", f"{self._home}/incoming/{bundle.version}.bundle", *starter)
        if found.get("failures"):
            raise StepError(found["said"])
        self._shell(f"rm -f {shlex.quote(self._home)}/incoming/*", "the bundle cannot be removed")
        self._outcome.changed = self._outcome.changed or found["changed"]
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
        }
        failed = [name for name, found in checks.items() if found["verdict"] == "FAIL"]
        if failed or not all(each["passed"] for each in golden):
            raise StepError(f"check failed: {', '.join(failed) or 'answers are not the workstation’s'}")
        return {"golden": golden, "checks": checks}

    def tune(self) -> dict[str, Any]:
        """The fastest model, engine and threads; as they were, where that was found out already."""
        path = f"{self._models}/selection.json"
        if not self._outcome.changed and self._is_there(path):
            return {"winner": json.loads(self._said(f"cat {shlex.quote(path)}", "it cannot be read"))["winner"]}
        self._outcome.changed = True
        return {"winner": self._edgecnn("tune", self._models)["winner"]}

    def bench(self) -> list[dict[str, Any]]:
        """Latency of every model."""
        quick = ("--quick",) if self._order.quick else ()
        return [self._edgecnn("bench", f"{self._models}/{name}", *quick) for name in self._names()]

    @property
    def _models(self) -> str:
        return f"{self._home}/current/models"

    def _names(self) -> list[str]:
        path = shlex.quote(f"{self._home}/current/index.json")
        index: dict[str, Any] = json.loads(self._said(f"cat {path}", "nothing is installed"))
        return list(index["models"])

    def _edgecnn(self, *words: str) -> Any:
        """A command of the version in use, as JSON; a failed gate is no failure here."""
        told = " ".join(map(shlex.quote, (f"{self._home}/current/edgecnn", *words, "--json")))
        return json.loads(self._said(told, f"edgecnn {words[0]} failed", fine=(0, 1)))

    def _installer(self, *words: str) -> dict[str, Any]:
        install = f"{self._home}/install.py"
        told = " ".join(map(shlex.quote, (self._python, install, "--to", self._home, "--json", *words)))
        found: dict[str, Any] = json.loads(self._said(told, "the installer failed", fine=(0, 1)))
        return found

    def _is_there(self, path: str) -> bool:
        return self._said(f"test -e {shlex.quote(path)} && echo yes || echo no", "it cannot be looked at") == "yes"

    def _send(self, data: bytes, name: str) -> None:
        """Write a file there, whole or not at all."""
        path, beside = f"{self._home}/{name}", f"{self._home}/.{name.replace('/', '-')}.tmp"
        try:
            self._host.put_file(io.BytesIO(data), beside)
        except OSError as error:
            self._shell(f"rm -f {shlex.quote(beside)}", "it cannot be removed")
            raise StepError(
                f"{name} could not be written there ({error.strerror or error}): is the disk full?"
            ) from None
        self._outcome.sent += len(data)
        self._shell(f"mv {shlex.quote(beside)} {shlex.quote(path)}", f"{name} cannot be put in its place")

    def _shell(self, command: str, otherwise: str) -> None:
        self._said(command, otherwise)

    def _said(self, command: str, otherwise: str, fine: Sequence[int] = (0,)) -> str:
        """What a command prints there.

        Raises:
            StepError: it ended otherwise than `fine`; with the last line of what it said.
        """
        succeeded, output = self._host.run_shell_command(StringCommand(command), _success_exit_codes=list(fine))
        if not succeeded:
            lines = [line for line in output.stderr.splitlines() if line.strip()]
            errors = [line for line in lines if line.startswith("error: ")]
            last = f"{otherwise}: {lines[-1]}" if lines else otherwise
            raise StepError(errors[-1].removeprefix("error: ") if errors else last)
        return str(output.stdout)


def _connect_cause(said: str) -> str:
    """Why a host cannot be reached, with what to do."""
    if "Authentication" in said:
        return f"it refuses the key ({said}): ssh-copy-id puts yours there"
    if "not found in known_hosts" in said or "No host key" in said:
        return f"its host key is not known ({said}): ssh there once and compare the fingerprint"
    if "key" in said.lower() and "match" in said.lower():
        return f"its host key is another one than before ({said}): if it was set up anew, ssh-keygen -R"
    return f"it cannot be reached: {said}"
