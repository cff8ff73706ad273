"""Measure `edgecnn serve` on one core: its latency, its load, and its memory.

One client asks over one connection, with JSON, binary tensors and pictures; then 64 clients ask at once, while every
answer is compared with that of `predict`; then 1,000 connections say nothing while a client goes on. Both happen twice:
memory that does not grow the second time is flat. The server has one core, the clients have the others. Its memory is
the resident set, in MB of a million bytes. The CPU time of a request is that of the server's threads, as Linux counts
it: other work on the machine hardly changes it. It takes two minutes.

Examples:
  python -m benchmarks.serve
  python -m benchmarks.serve --seconds 5 --requests 200
"""

import contextlib
import http.client
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.provenance import provenance
from edgecnn import Classifier, arguments
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.images import frame_drawing

CLIENTS, SILENT = 64, 1000
LIMITS = {"JSON": 1.0, "binary": 0.8, "picture": 1.5}  # milliseconds of the median
MOST_MEMORY = 80.0  # MB
_JSON_LENGTH = "Inference-Header-Content-Length"
_WARM = 50  # requests that are not counted
_BESIDE = 200  # requests beside silent connections


@dataclass
class Load:
    """What clients at once saw."""

    answered: int = 0
    wrong: int = 0
    lost: int = 0
    seconds: list[float] = field(default_factory=list)

    def figures(self, duration: float) -> dict[str, float]:
        """Counts, requests a second and percentiles in milliseconds; `duration` in seconds."""
        counts = {"answered": self.answered, "wrong": self.wrong, "lost": self.lost}
        return counts | {"a_second": self.answered / duration} | _percentiles(self.seconds)


@dataclass
class Silence:
    """What a client saw beside 1,000 connections that said nothing."""

    asked: int = 0
    answered: int = 0

    @contextlib.contextmanager
    def beside(self, port: int) -> Iterator[None]:
        """Ask beside them; they stay open within the context."""
        with contextlib.ExitStack() as silent:
            for _ in range(SILENT):
                silent.enter_context(socket.create_connection(("127.0.0.1", port)))
            question, connection = questions()["binary"], _connection(port)
            for _ in range(_BESIDE):
                self.asked, self.answered = self.asked + 1, self.answered + question.ask(connection)
            connection.close()
            yield


@dataclass(frozen=True)
class Question:
    """A request, and the label that its answer must have."""

    path: str
    body: bytes
    headers: dict[str, str]
    label: str

    def ask(self, connection: http.client.HTTPConnection) -> bool:
        """Whether the answer is right.

        Raises:
            OSError, http.client.HTTPException: there is none.
        """
        connection.request("POST", self.path, self.body, self.headers)
        response = connection.getresponse()
        octets = response.read()
        return response.status == 200 and f'"{self.label}"'.encode() in octets


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.serve`."""
    parser = command_parser("python -m benchmarks.serve", __doc__)
    duration = arguments.number(1, 3600)
    parser.add_argument("--seconds", type=duration, default=60, dest="duration", help="of 64 clients (default 60)")
    parser.add_argument("--requests", type=arguments.count(1), default=2000, help="for each median (default 2000)")
    parser.add_argument("--core", type=arguments.core, default=min(os.sched_getaffinity(0)), help="the server's core")
    options = parser.parse_args(argv)
    report = measure(options.duration, options.requests, options.core)
    if options.json:
        print_json(report)
    else:
        print(table(("", "measured", "target"), list(rows(report))))
    return GATE_FAILED if report["load"]["lost"] or report["load"]["wrong"] else OK


def measure(seconds: float, requests: int, core: int) -> dict[str, Any]:
    """All figures, with the machine and the time."""
    _raise_file_limit()
    with _server(core) as (process, port):
        memory = {"at the start": _memory(process)}
        latencies = {name: _latency(process, port, question, requests) for name, question in questions().items()}
        memory["after one client"] = _memory(process)
        load, silence = Load(), Silence()
        for times in ("", ", again"):
            _load(port, seconds / 2, load)
            memory[f"after 64 clients{times}"] = _memory(process)
            with silence.beside(port):
                memory[f"with 1,000 silent ones{times}"] = _memory(process)
        figures = load.figures(seconds)
        return provenance() | {"latency_ms": latencies, "load": figures, "silent": asdict(silence), "memory_mb": memory}


def questions() -> dict[str, Question]:
    """A 7 as MNIST has it, asked in three ways."""
    classifier = Classifier()
    shape = classifier.manifest.input.shape
    drawn = np.zeros((20, 20), np.uint8)
    drawn[0:3, 3:17] = 255  # a 7
    for row in range(3, 20):
        drawn[row, 14 - (row - 3) // 2 : 17 - (row - 3) // 2] = 255
    frame = classifier.manifest.input.frame
    picture = frame_drawing(drawn, frame, (shape[0], shape[1])) if frame else drawn
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    png = file.getvalue()
    label, pictured = classifier.predict(picture).label, classifier.classify(png).label
    path = f"/v2/models/{classifier.manifest.name}/infer"
    entry = {"name": "image", "shape": [1, *shape], "datatype": "UINT8"}
    plain = json.dumps({"inputs": [entry | {"data": picture.ravel().tolist()}]}).encode()
    head = json.dumps({"inputs": [entry | {"parameters": {"binary_data_size": picture.size}}]}).encode()
    return {
        "JSON": Question(path, plain, {"content-type": "application/json"}, label),
        "binary": Question(path, head + picture.tobytes(), {_JSON_LENGTH: str(len(head))}, label),
        "picture": Question("/classify", png, {"content-type": "image/png"}, pictured),
    }


def rows(report: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """The table's rows."""
    for name, latency in report["latency_ms"].items():
        measured = f"median {latency['p50']:.2f} ms, 99 % {latency['p99']:.2f} ms, CPU {latency['cpu']:.2f} ms"
        yield f"{name}, one client", measured, f"{LIMITS[name]} ms"
    load = report["load"]
    yield f"{CLIENTS} clients", f"{load['answered']:,} answers, {load['a_second']:,.0f} a second", "none lost or wrong"
    yield "", f"{load['lost']} lost, {load['wrong']} wrong, 99 % in {load['p99']:.0f} ms", ""
    silent = report["silent"]
    yield f"{SILENT:,} silent", f"{silent['answered']} of {silent['asked']} answered meanwhile", "all"
    for name, memory in report["memory_mb"].items():
        yield f"memory {name}", f"{memory:.1f} MB", f"below {MOST_MEMORY:.0f} MB"


def _raise_file_limit() -> None:
    """Allow as many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4 * SILENT) if hard > 0 else 4 * SILENT, hard))


@contextlib.contextmanager
def _server(core: int) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A server of the package's model on one core; this process takes the others, if there are any."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})  # children begin with it
    words = [sys.executable, "-m", "edgecnn", "serve", "--port", "0", "--json", "--workers", "1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    os.sched_setaffinity(0, cores - {core} or cores)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise EdgecnnError("the server does not start: try edgecnn serve")
        yield process, int(json.loads(line)["url"].rstrip("/").rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()
        os.sched_setaffinity(0, cores)


def _memory(process: "subprocess.Popen[str]") -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6, 1)


def _connection(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _cpu(process: "subprocess.Popen[str]") -> float:
    """Seconds of CPU that its threads have had."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def _latency(process: "subprocess.Popen[str]", port: int, question: Question, requests: int) -> dict[str, float]:
    """Milliseconds of a request over one connection, and of the server's CPU."""
    connection, seconds, cpu = _connection(port), [], 0.0
    for number in range(_WARM + requests):
        cpu = _cpu(process) if number == _WARM else cpu
        start = time.perf_counter()
        if not question.ask(connection):
            raise EdgecnnError(f"the server's answer to {question.path} is another one than predict's")
        if number >= _WARM:
            seconds.append(time.perf_counter() - start)
    connection.close()
    return _percentiles(seconds) | {"cpu": round((_cpu(process) - cpu) / requests * 1000, 4)}


def _percentiles(seconds: list[float]) -> dict[str, float]:
    return {f"p{share}": round(float(np.percentile(seconds, share)) * 1000, 4) for share in (50, 95, 99)} | {
        "least": round(min(seconds) * 1000, 4)
    }


def _load(port: int, seconds: float, load: Load) -> None:
    """Add what 64 clients see that ask as fast as they can, in all three ways."""
    end, lock = time.monotonic() + seconds, threading.Lock()
    ways = list(questions().values())
    threads = [
        threading.Thread(target=partial(_ask, port, ways[number % 3], end, load, lock)) for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask(port: int, question: Question, end: float, load: Load, lock: threading.Lock) -> None:
    """Ask until the end; a request without an answer is lost."""
    connection = _connection(port)
    while time.monotonic() < end:
        start = time.perf_counter()
        try:
            right = question.ask(connection)
        except (OSError, http.client.HTTPException):
            with lock:
                load.lost += 1
            connection = _connection(port)
            continue
        with lock:
            load.answered, load.wrong = load.answered + 1, load.wrong + (not right)
            load.seconds.append(time.perf_counter() - start)
    connection.close()


if __name__ == "__main__":
    sys.exit(main())
