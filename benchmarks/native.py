"""Time the C of a model beside this CPU's peak, and its static program beside the Python runtime.

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
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.library import library_of
from benchmarks.peak import compiled
from benchmarks.peak import measured as peak_of
from benchmarks.process_start import first_line, with_byte_code
from benchmarks.provenance import provenance
from benchmarks.startup import EDGECNN
from edgecnn import arguments
from edgecnn.command import OK, command, command_parser, print_json, progress, table
from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from edgecnn.modelfile import newest_model, read_model
from edgecnn.programs import run_program

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
    figures = measured(model)
    if options.json:
        print_json(figures | provenance())
    else:
        print(table(("", str(model)), [(name, _figure(value)) for name, value in figures.items()]))
    return OK


def measured(model: Path) -> dict[str, Any]:
    """The figures of a model's library and program.

    Raises:
        EdgecnnError: the model has none.
    """
    library = library_of(model)
    with tempfile.TemporaryDirectory() as folder:
        call, peak = _call_and_peak(library.program, Path(folder))
        picture = _picture(Path(folder), read_model(model).manifest)
        script = EDGECNN.format(model=str(model), engine="litert")
        start, python_start = _starts(folder, (library.program, picture), (sys.executable, "-c", script))
        memory = _resident(library.program, "--bench")
    progress("")
    floor = library.macs / peak / 1000 if peak else None
    return {
        "p50_us": call,
        "multiply_accumulates": library.macs,
        "peak_per_ns": peak or None,
        "floor_us": floor and round(floor, 2),
        "of_floor": floor and round(call / floor, 2),
        "program_bytes": library.program.stat().st_size,
        "arena_bytes": library.arena,
        "resident_kb": memory,
        "start_to_label_ms": round(1000 * start, 2),
        "python_start_to_label_ms": round(1000 * python_start, 1),
        "of_python": round(start / python_start, 4),
    }


def _call_and_peak(program: Path, folder: Path) -> tuple[float, float]:
    """Microseconds of a call, the median; and int8 multiply-accumulates a nanosecond, the most, 0 if not known."""
    loops = compiled(folder / "peak")
    calls, peaks = [], []
    for turn in range(TURNS):
        progress(f"turn {turn + 1} of {TURNS}")
        calls.append(_p50(run_program(program, "--bench").stdout))
        peaks.append(peak_of(loops).get("int8", 0.0))
    return statistics.median(calls), max(peaks)


def _starts(folder: str, *commands: Sequence[object]) -> list[float]:
    """Seconds from the start of each command to its first line: medians of runs in turns, without the first."""
    environment = with_byte_code(folder)
    seconds: list[list[float]] = [[] for _ in commands]
    for run in range(STARTS + 1):
        progress(f"start {run} of {STARTS}")
        for words, runs in zip(commands, seconds, strict=True):
            runs.append(first_line(*words, environment=environment)[0])
    return [statistics.median(runs[1:]) for runs in seconds]


def _picture(folder: Path, manifest: Manifest) -> Path:
    """A blank picture for the program."""
    height, width, channels = manifest.input.shape
    path = folder / "blank.pgm"
    head = f"P{5 if channels == 1 else 6} {width} {height} 255\n".encode()
    path.write_bytes(head + np.zeros(height * width * channels, np.uint8).tobytes())
    return path


def _p50(line: str) -> float:
    match = re.search(r"p50 (\d+\.?\d*) us", line)
    if not match:
        raise EdgecnnError(f"the program printed {line!r}: build it again with python -m convert.c")
    return float(match[1])


def _resident(*words: object) -> int:
    """The most kB that a process has resident while it runs."""
    most = 0
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
            most = max(most, int(match[1]) if match else 0)
    return most


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,}"


if __name__ == "__main__":
    sys.exit(main())
