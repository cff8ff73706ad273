"""The steps that a fleet does on a host: a public method of `Steps` each, which returns what it learned there."""

import io
from typing import Any, BinaryIO

import gevent
from pyinfra.api.host import Host

from deploy.bundlefile import Bundle
from deploy.collecting import batches, listing, packing, removing, save_pictures
from deploy.outcome import Order, Outcome
from deploy.program import probe, program
from deploy.session import Session, StepError, in_shell, quoted
from edgecnn.seal import zip_members

_PROGRAM = "install.pyz"


class Steps:
    """The steps of one host."""

    def __init__(self, host: Host, order: Order, outcome: Outcome) -> None:
        self._session, self._order, self._outcome = Session(host), order, outcome
        self._python = in_shell(str(host.data.get("edgecnn_python") or "python3"))
        self._starter = host.data.get("edgecnn_starter")
        self._home = str(host.data.get("edgecnn_home") or "~/edgecnn")  # `connect` makes it absolute

    def run(self, name: str) -> Any:
        """Run a step for as long as the order allows."""
        self._outcome.step = name
        with gevent.Timeout(self._order.timeout):
            return getattr(self, name)()

    def connect(self) -> None:
        """Connect, and ask for the host's Python and machine."""
        self._session.connect()
        command = f"{self._python} -c {quoted(probe(), self._home)}"
        answer = self._session.json(command, f"{self._python} does not run there")
        self._device = {"python": answer["python"], "machine": answer["machine"]}
        self._home = str(answer["home"])

    def put(self) -> dict[str, Any]:
        """Send the installer, and the bundle unless its version is in use."""
        bundle, incoming = self._bundle, f"{self._home}/incoming"
        self._session.output(f"mkdir -p {quoted(incoming)}", "no folder can be made")
        installer = zip_members(program())
        self._send(io.BytesIO(installer), len(installer), _PROGRAM)
        if self._order.signers is not None:
            self._send(io.BytesIO(self._order.signers), len(self._order.signers), "allowed_signers")
        if self._in_use(bundle) or self._session.is_there(f"{incoming}/{bundle.version}.bundle", bundle.size):
            return {"version": bundle.version, "sent": False}
        # Of an hour ago: another fleet may be at work here.
        old = f"find {quoted(incoming)} -type f -mmin +60 -exec rm -f {{}} +"
        self._session.output(old, "old bundles cannot be removed")
        self._send_bundle(bundle)
        self._outcome.changed = True
        return {"version": bundle.version, "sent": True}

    def install(self) -> dict[str, Any]:
        """Install the bundle that was sent; the installer puts it into use if it passes its checks there."""
        bundle = self._bundle
        if self._in_use(bundle):
            return {"version": bundle.version, "changed": False}
        place = f"{self._home}/incoming/{bundle.version}.bundle"
        words = ["--bundle", place, *(["--starter", str(self._starter)] if self._starter else [])]
        report = self._installer(*words, *(["--allow-downgrade"] if self._order.allow_downgrade else []))
        if report.get("failures"):
            raise StepError(str(report["said"]))
        self._session.output(f"rm -f {quoted(place)}", "the bundle cannot be removed")
        self._outcome.changed = self._outcome.changed or bool(report["changed"])
        return {"version": bundle.version, "changed": report["changed"]}

    def rollback(self) -> dict[str, Any]:
        """Put the previous version into use again."""
        return self._installer("--rollback")

    def doctor(self) -> Any:
        """What `edgecnn doctor` reports."""
        return self._edgecnn("doctor")

    def check(self) -> dict[str, Any]:
        """Compare answers with the workstation's, and check the accuracy of every model with labels."""
        golden = self._edgecnn("golden", self._models)
        index = self._index()
        checks = {
            name: self._edgecnn("check", f"{self._models}/{name}", f"{self._models}/evaluation.npz")
            for name in index["models"]
            if index.get("labelled", True)
        }
        failed = [name for name, check in checks.items() if check["verdict"] == "FAIL"]
        if failed or not all(comparison["passed"] for comparison in golden):
            raise StepError(f"check failed: {', '.join(failed) or 'answers are not the workstation’s'}")
        return {"golden": golden, "checks": checks}

    def tune(self) -> dict[str, Any]:
        """The fastest model, engine and threads; if nothing changed, those that an earlier run chose."""
        path = f"{self._models}/selection.json"
        if not self._outcome.changed and self._session.is_there(path):
            return {"winner": self._session.json(f"cat {quoted(path)}", "it cannot be read")["winner"]}
        self._outcome.changed = True
        return {"winner": self._edgecnn("tune", self._models)["winner"]}

    def bench(self) -> list[dict[str, Any]]:
        """Latency of every model."""
        quick = ("--quick",) if self._order.quick else ()
        return [self._edgecnn("bench", f"{self._models}/{name}", *quick) for name in self._index()["models"]]

    def collect(self) -> dict[str, Any]:
        """Bring home the pictures that `edgecnn watch --keep-unsure ~/edgecnn/unsure` kept; they leave the host."""
        folder, count = f"{self._home}/unsure", 0
        for names in batches(self._session.output(listing(folder), "the pictures cannot be listed")):
            packed = self._session.output(packing(folder, names), "the pictures cannot be read")
            count += save_pictures(packed, names, self._order.pictures, self._outcome.name)
            self._session.output(removing(folder, names), "the pictures cannot be removed")
            self._outcome.changed = True
        return {"pictures": count}

    @property
    def _bundle(self) -> Bundle:
        """The first bundle that fits the host."""
        for bundle in self._order.bundles:
            if bundle.index["device"] == self._device:
                return bundle
        device = "Python {python} on {machine}".format(**self._device)
        raise StepError(f"no bundle is for {device}: python -m deploy.bundle --target, and name it with --bundle")

    @property
    def _models(self) -> str:
        return f"{self._home}/current/models"

    def _index(self) -> dict[str, Any]:
        path = f"{self._home}/current/index.json"
        index: dict[str, Any] = self._session.json(f"cat {quoted(path)}", "nothing is installed")
        return index

    def _edgecnn(self, *words: str) -> Any:
        """The JSON document of a command of the version in use; a failed gate is no failure here."""
        command = quoted(f"{self._home}/current/edgecnn", *words, "--json")
        return self._session.json(command, f"edgecnn {words[0]} failed", fine=(0, 1))

    def _installer(self, *words: str) -> dict[str, Any]:
        """The JSON document of the installer."""
        command = f"{self._python} -I {quoted(f'{self._home}/{_PROGRAM}', '--to', self._home, '--json', *words)}"
        report: dict[str, Any] = self._session.json(command, "the installer failed", fine=(0, 1))
        return report

    def _in_use(self, bundle: Bundle) -> bool:
        status = self._installer("--status")
        return status["current"] == bundle.version and bool(status["works"])

    def _send_bundle(self, bundle: Bundle) -> None:
        try:
            file = bundle.path.open("rb")
        except OSError as error:
            raise StepError(f"{bundle.path} cannot be read here: {error.strerror}") from None
        with file:
            self._send(file, bundle.size, f"incoming/{bundle.version}.bundle")

    def _send(self, file: BinaryIO, size: int, name: str) -> None:
        self._session.send(file, size, f"{self._home}/{name}")
        self._outcome.sent += size
