"""A host of a fleet, and what is done there step by step; import it once gevent has patched all."""

import io
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import gevent
from paramiko import SSHException
from pyinfra.api.host import Host

from deploy.bundlefile import Bundle
from deploy.program import program
from deploy.session import Session, StepError, in_shell, plain, quoted
from edgecnn.files import zip_members

_PROGRAM = "install.pyz"
_PROBE = (
    "import json,os,platform,struct,sys;"
    "m=platform.machine();"
    "m={'aarch64':'armv7l','armv8l':'armv7l'}.get(m,m) if struct.calcsize('P')==4 else m;"
    "h=os.path.abspath(os.path.expanduser(sys.argv[1]));"
    "print(json.dumps({'python':'%d.%d'%sys.version_info[:2],'machine':m,'home':h}))"
)


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
        self._session, self._order, self._outcome = Session(host), order, outcome
        self._python = in_shell(str(host.data.get("edgecnn_python") or "python3"))
        self._starter = host.data.get("edgecnn_starter")
        self._home = str(host.data.get("edgecnn_home") or "~/edgecnn")  # as it is named, until its shell is asked

    def step(self, name: str, function: Any) -> Any:
        """Run a step for as long as the order allows."""
        self._outcome.step = name
        with gevent.Timeout(self._order.timeout):
            return function()

    def connect(self) -> None:
        """Connect, and look at the host's Python."""
        self._session.connect()
        probe = f"{self._python} -c {quoted(_PROBE, self._home)}"
        known = self._session.json(probe, f"{self._python} does not run there")
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
        self._session.said(f"mkdir -p {quoted(f'{self._home}/incoming')}", "no folder can be made")
        installer = zip_members(program())
        self._send(io.BytesIO(installer), len(installer), _PROGRAM)
        if self._order.signers is not None:
            self._send(io.BytesIO(self._order.signers), len(self._order.signers), "allowed_signers")
        place = f"{self._home}/incoming/{bundle.version}.bundle"
        if self._in_use(bundle) or self._session.is_there(place, bundle.size):
            return {"version": bundle.version, "sent": False}
        # Of an hour ago: another fleet may be at work here.
        old = f"find {quoted(f'{self._home}/incoming')} -type f -mmin +60 -exec rm -f {{}} +"
        self._session.said(old, "old bundles cannot be removed")
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
        self._session.said(f"rm -f {quoted(place)}", "the bundle cannot be removed")
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
        index = self._index()
        checks = {
            name: self._edgecnn("check", f"{self._models}/{name}", f"{self._models}/evaluation.npz")
            for name in index["models"]
            if index.get("labelled", True)
        }
        failed = [name for name, found in checks.items() if found["verdict"] == "FAIL"]
        if failed or not all(each["passed"] for each in golden):
            raise StepError(f"check failed: {', '.join(failed) or 'answers are not the workstation’s'}")
        return {"golden": golden, "checks": checks}

    def tune(self) -> dict[str, Any]:
        """The fastest model, engine and threads; as they were, where that was found out already."""
        path = f"{self._models}/selection.json"
        if not self._outcome.changed and self._session.is_there(path):
            return {"winner": self._session.json(f"cat {quoted(path)}", "it cannot be read")["winner"]}
        self._outcome.changed = True
        return {"winner": self._edgecnn("tune", self._models)["winner"]}

    def bench(self) -> list[dict[str, Any]]:
        """Latency of every model."""
        quick = ("--quick",) if self._order.quick else ()
        return [self._edgecnn("bench", f"{self._models}/{name}", *quick) for name in self._index()["models"]]

    @property
    def _models(self) -> str:
        return f"{self._home}/current/models"

    def _index(self) -> dict[str, Any]:
        path = f"{self._home}/current/index.json"
        index: dict[str, Any] = self._session.json(f"cat {quoted(path)}", "nothing is installed")
        return index

    def _edgecnn(self, *words: str) -> Any:
        """A command of the version in use, as JSON; a failed gate is no failure here."""
        told = quoted(f"{self._home}/current/edgecnn", *words, "--json")
        return self._session.json(told, f"edgecnn {words[0]} failed", fine=(0, 1))

    def _installer(self, *words: str) -> dict[str, Any]:
        told = f"{self._python} -I {quoted(f'{self._home}/{_PROGRAM}', '--to', self._home, '--json', *words)}"
        found: dict[str, Any] = self._session.json(told, "the installer failed", fine=(0, 1))
        return found

    def _in_use(self, bundle: Bundle) -> bool:
        found = self._installer("--status")
        return found["current"] == bundle.version and bool(found["works"])

    def _send(self, file: BinaryIO, size: int, name: str) -> None:
        self._session.send(file, size, f"{self._home}/{name}")
        self._outcome.sent += size
