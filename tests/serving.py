"""A server in a process of its own, for tests."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import requests
from conftest import ROOT, heed_interrupts

TOKEN = "a-token-for-tests"
PROGRAM = (sys.executable, "-m", "edgecnn")
_PATIENCE = 60.0  # seconds, for a loaded machine


@dataclass(frozen=True)
class Server:
    """A server: its process, and what it said of itself."""

    process: "subprocess.Popen[str]"
    url: str
    model: str
    version: str
    log: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rstrip("/").rpartition(":")[2])

    def post(self, path: str, body: bytes = b"", **headers: str) -> requests.Response:
        """A request with a body."""
        names = {name.replace("_", "-"): words for name, words in headers.items()}
        return requests.post(self.url + path, data=body, headers=names, timeout=_PATIENCE)

    def get(self, path: str, **headers: str) -> requests.Response:
        """A request without one."""
        return requests.get(self.url + path, headers=headers, timeout=_PATIENCE)

    def rss(self) -> float:
        """Its memory, in MB of a million bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


@contextlib.contextmanager
def serving(
    folder: Path, *words: object, env: dict[str, str] | None = None, program: Sequence[object] = PROGRAM
) -> Iterator[Server]:
    """A server that ends with the block."""
    log = folder / "serve.log"
    command = [*map(str, program), "serve", "--port", "0", "--json", *map(str, words)]
    with log.open("w") as err:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | (env or {}), stdout=subprocess.PIPE, stderr=err, text=True,
            preexec_fn=heed_interrupts,  # noqa: PLW1509
        )  # fmt: skip
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], _PATIENCE)[0], log.read_text()
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Server(process, log=log, **json.loads(line))
        assert "Traceback" not in log.read_text()
        assert "fault of edgecnn" not in log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()


def eventually(condition: object, seconds: float = _PATIENCE) -> None:
    """Wait for a condition, a function without arguments."""
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)
