"""Time a process from its start to the first label: edgecnn beside a bare script on the same engine and model.

The bare script imports numpy and the engine, and runs once. Each run is a fresh process on one pinned core; they take
turns. Both find their byte code compiled, as pip leaves it. Resident memory is read when the label is out.

Example:
  python -m benchmarks.startup --json
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.process_start import first_line, with_byte_code
from edgecnn import SHIPPED, arguments
from edgecnn.classifier import Classifier
from edgecnn.command import OK, command, command_parser, print_json, progress, quiet, table

RUNS = 40
_BARE = """
import numpy
from {module} import Interpreter
interpreter = Interpreter(model_path={model!r}, num_threads=1)
interpreter.allocate_tensors()
(image,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
interpreter.set_tensor(image["index"], numpy.zeros(image["shape"], numpy.int8))
interpreter.invoke()
print(interpreter.get_tensor(answer["index"])[0].argmax(), flush=True)
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
        Classifier(options.model, options.engine).close()  # if it does not run, the error is ours
    scripts = {"bare script": _BARE.format(**named) + _MEMORY, "edgecnn": EDGECNN.format(**named) + _MEMORY}
    os.sched_setaffinity(0, {options.core})  # the children's too
    medians = compare(scripts, options.runs)
    (bare_s, bare_mb), (ours_s, ours_mb) = medians["bare script"], medians["edgecnn"]
    if options.json:
        figures = {name: {"seconds": seconds, "memory_mb": memory} for name, (seconds, memory) in medians.items()}
        print_json(figures | {"ratio": ours_s / bare_s, "more_mb": ours_mb - bare_mb})
    else:
        rows = [(name, f"{1000 * seconds:.0f}", f"{memory:.1f}") for name, (seconds, memory) in medians.items()]
        print(table(("process", "ms to the first label", "MB resident"), rows))
        print(f"\nratio {ours_s / bare_s:.3f}, {ours_mb - bare_mb:+.1f} MB")
    return OK


def compare(scripts: dict[str, str], runs: int) -> dict[str, tuple[float, float]]:
    """The medians of each script: seconds to its first line, and the megabytes that it prints in its second."""
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in scripts}
    with tempfile.TemporaryDirectory() as folder:
        environment = with_byte_code(folder)
        for run in range(runs + 1):
            progress(f"run {run} of {runs}")
            for name, script in scripts.items():
                seconds, lines = first_line(sys.executable, "-c", script, environment=environment)
                figures[name].append((seconds, int(lines.split()[1]) / 1024))
    progress("")
    return {name: _medians(rows[1:]) for name, rows in figures.items()}  # the first run compiled


def _medians(rows: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(row[0] for row in rows), statistics.median(row[1] for row in rows)


if __name__ == "__main__":
    sys.exit(main())
