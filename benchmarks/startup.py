"""Process start to first label, and the memory that stays: edgecnn beside a bare script on the same engine and model.

The bare script imports numpy and the engine, and runs once. Each run is a fresh process on one pinned core; they take
turns. Both find their byte code compiled, as pip leaves it. Resident memory is read when the label is out.

Example:
  python -m benchmarks.startup --json
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edgecnn import SHIPPED, arguments
from edgecnn.classifier import Classifier
from edgecnn.command import OK, command, command_parser, print_json, progress, quiet, table
from edgecnn.errors import EdgecnnError
from edgecnn.programs import last_line

RUNS = 40
_BARE = """
import numpy
from {module} import Interpreter
interpreter = Interpreter(model_path={model!r}, num_threads=1)
interpreter.allocate_tensors()
taken, given = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
interpreter.set_tensor(taken["index"], numpy.zeros(taken["shape"], numpy.int8))
interpreter.invoke()
print(interpreter.get_tensor(given["index"])[0].argmax(), flush=True)
"""
EDGECNN = """
import numpy
from edgecnn import Classifier
classifier = Classifier({model!r}, "{engine}")
print(classifier.predict(numpy.zeros(classifier.manifest.input.shape, numpy.uint8)).label, flush=True)
"""
_MEMORY = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""
_ENGINES = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.startup`."""
    parser = command_parser("python -m benchmarks.startup", __doc__)
    parser.add_argument(
        "model", type=Path, nargs="?", default=SHIPPED, help="int8 (default: the MNIST model that ships)"
    )
    parser.add_argument("--engine", choices=_ENGINES, default="litert", help="default litert")
    parser.add_argument("--runs", type=arguments.count(1, 10_000), default=RUNS, help=f"of each (default {RUNS})")
    parser.add_argument("--core", type=arguments.core, default=0, help="that all are pinned to (default 0)")
    options = parser.parse_args(argv)
    named = {"model": str(options.model), "engine": options.engine, "module": _ENGINES[options.engine]}
    with quiet():
        Classifier(options.model, options.engine).close()  # whether it runs at all is told in our words
    scripts = {"bare script": _BARE.format(**named) + _MEMORY, "edgecnn": EDGECNN.format(**named) + _MEMORY}
    os.sched_setaffinity(0, {options.core})  # the children's too
    found = compare(scripts, options.runs)
    (bare_s, bare_mb), (ours_s, ours_mb) = found["bare script"], found["edgecnn"]
    if options.json:
        rows = {name: {"seconds": seconds, "memory_mb": memory} for name, (seconds, memory) in found.items()}
        print_json(rows | {"ratio": ours_s / bare_s, "more_mb": ours_mb - bare_mb})
    else:
        rows_ = [(name, f"{1000 * seconds:.0f}", f"{memory:.1f}") for name, (seconds, memory) in found.items()]
        print(table(("process", "ms to the first label", "MB resident"), rows_))
        print(f"\nratio {ours_s / bare_s:.3f}, {ours_mb - bare_mb:+.1f} MB")
    return OK


def compare(scripts: dict[str, str], runs: int) -> dict[str, tuple[float, float]]:
    """The medians of seconds to the first line of each script, and of the megabytes that it says in its second."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in scripts}
    with tempfile.TemporaryDirectory() as compiled:
        environment = compiling(compiled)
        for run in range(runs + 1):
            progress(f"run {run} of {runs}")
            for name, script in scripts.items():
                found[name].append(_run(script, environment))
    progress("")
    return {name: _medians(each[1:]) for name, each in found.items()}  # the first run compiled


def compiling(folder: str) -> dict[str, str]:
    """An environment in which Python keeps its byte code in a folder."""
    environment = os.environ | {"PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def _medians(runs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)


def _run(script: str, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start of a process to its first line, and the megabytes in its second."""
    begin = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    ) as process:
        first = process.stdout.readline() if process.stdout else b""
        seconds = time.perf_counter() - begin
        rest, errors = process.communicate()
    if process.returncode != OK:
        raise EdgecnnError(last_line(process.returncode, errors.decode(errors="replace")))
    return seconds, int((first + rest).split()[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
