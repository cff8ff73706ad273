"""A real MQTT broker for tests: Debian's mosquitto, on loopback, that goes and comes."""

import contextlib
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
WANTED = "needs Debian's mosquitto and mosquitto-clients"


def available() -> bool:
    """Whether there is a broker and a client."""
    return bool(MOSQUITTO and shutil.which("mosquitto_sub"))


class Broker:
    """A broker at one port; it keeps sessions when it is stopped."""

    def __init__(self, folder: Path, *lines: str) -> None:
        with socket.socket() as any_port:
            any_port.bind(("127.0.0.1", 0))
            self.port = int(any_port.getsockname()[1])
        self._config = folder / "mosquitto.conf"
        kept = ("persistence true", f"persistence_location {folder}/", "user root")
        access = lines or ("allow_anonymous true",)
        self._config.write_text("\n".join((f"listener {self.port} 127.0.0.1", *kept, *access)))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [str(MOSQUITTO), "-c", self._config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise AssertionError("mosquitto does not listen")

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.terminate()
            self._process.wait()
        self._process = None

    @contextlib.contextmanager
    def listener(self, topic: str) -> Iterator["Listener"]:
        """Somebody who listens to a topic, and connects again by himself."""
        words = [
            "mosquitto_sub",
            "-p",
            str(self.port),
            "-q",
            "1",
            "-c",
            "-i",
            "listener",
            "-t",
            topic,
            "-F",
            "%r %t %p",
        ]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                yield Listener(process)
            finally:
                process.kill()


class Listener:
    """What came for a listener."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def next(self) -> tuple[bool, str, Any]:
        """Whether the next message was retained, its topic, and what it says."""
        assert self._process.stdout
        retained, topic, payload = self._process.stdout.readline().rstrip("\n").split(" ", 2)
        return retained == "1", topic, json.loads(payload) if payload.startswith("{") else payload
