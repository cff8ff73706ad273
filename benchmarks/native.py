"""The C of a model beside what this CPU can do at most, and its static program beside the Python runtime.

The peak is measured by a loop of the dot-product instruction (benchmarks/peak.c) on the same pinned core, in turns with
the program's own --bench. The program and Python are started in turns: seconds from process start to the first label.

Example:
  python -m benchmarks.native artifacts/mnist/model_int8.tflite --json
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.library import library_of
from benchmarks.origin import origin
from benchmarks.peak import compiled
from benchmarks.peak import measured as peak_of
from benchmarks.startup import EDGECNN, compiling
from edgecnn import arguments
from edgecnn.command import OK, command, command_parser, print_json, progress, table
from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from edgecnn.modelfile import newest_model, read_model
from edgecnn.programs import last_line, run_program

TURNS, STARTS = 9, 25


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.native`."""
    parser = command_parser("python -m benchmarks.native", __doc__)
    parser.add_argument("model", type=Path, nargs="?", help="with libraries beside it (default: the newest int8)")
    parser.add_argument("--core", type=arguments.core, default=0, help="that all are pinned to (default 0)")
    options = parser.parse_args(argv)
    model = options.model or newest_model().with_name("model_int8.tflite")
    os.sched_setaffinity(0, {options.core})  # the children's too
    found = measured(model)
    if options.json:
        print_json(found | origin())
    else:
        print(table(("", str(model)), [(name, _figure(value)) for name, value in found.items()]))
    return OK


def measured(model: Path) -> dict[str, Any]:
    """What is to be known of a model's library and program.

    Raises:
        EdgecnnError: they are not there.
    """
    library = library_of(model)
    program, macs = library.program, library.macs
    with tempfile.TemporaryDirectory() as folder:
        peak = compiled(Path(folder) / "peak")
        picture = _picture(Path(folder), read_model(model).manifest)
        calls, peaks = [], []
        for turn in range(TURNS):
            progress(f"turn {turn + 1} of {TURNS}")
            calls.append(_p50(run_program(program, "--bench").stdout))
            peaks.append(peak_of(peak).get("int8", 0.0))
        script = EDGECNN.format(model=str(model), engine="litert")
        starts: dict[str, list[float]] = {"program": [], "python": []}
        environment = compiling(folder)
        for turn in range(STARTS + 1):
            progress(f"start {turn} of {STARTS}")
            starts["program"].append(_seconds(environment, program, picture))
            starts["python"].append(_seconds(environment, sys.executable, "-c", script))
        memory = _resident(program, "--bench")
    progress("")
    call, best = statistics.median(calls), max(peaks)
    floor = macs / best / 1000 if best else None
    begun, slow = (statistics.median(starts[name][1:]) for name in ("program", "python"))
    return {
        "p50_us": call,
        "multiply_accumulates": macs,
        "peak_per_ns": best or None,
        "floor_us": floor and round(floor, 2),
        "of_floor": floor and round(call / floor, 2),
        "program_bytes": program.stat().st_size,
        "arena_bytes": library.arena,
        "resident_kb": memory,
        "start_to_label_ms": round(1000 * begun, 2),
        "python_start_to_label_ms": round(1000 * slow, 1),
        "of_python": round(begun / slow, 4),
    }


def _picture(folder: Path, manifest: Manifest) -> Path:
    """A blank picture that the program takes."""
    height, width, channels = manifest.input.shape
    path = folder / "blank.pgm"
    head = f"P{5 if channels == 1 else 6} {width} {height} 255\n".encode()
    path.write_bytes(head + np.zeros(height * width * channels, np.uint8).tobytes())
    return path


def _p50(said: str) -> float:
    found = re.search(r"p50 (\d+\.?\d*) us", said)
    if not found:
        raise EdgecnnError(f"the program says {said!r}: build it again with python -m convert.c")
    return float(found[1])


def _seconds(environment: dict[str, str], *words: object) -> float:
    """From the start of a process to its first line.

    Raises:
        EdgecnnError: it printed none.
    """
    begin = time.perf_counter()
    told = list(map(str, words))
    with subprocess.Popen(told, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        first = process.stdout.readline() if process.stdout else b""
        seconds = time.perf_counter() - begin
        _, errors = process.communicate()
    if not first:
        raise EdgecnnError(
            f"{told[0]} gives no label: {last_line(process.returncode, errors.decode(errors='replace'))}"
        )
    return seconds


def _resident(*words: object) -> int:
    """The most kB that a process has resident while it runs."""
    most = 0
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            most = max(most, int(found[1]) if found else 0)
    return most


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,}"


if __name__ == "__main__":
    sys.exit(main())
