"""Do the main job, end to end: train, convert, check, measure; print one table and the path of the report.

It runs the commands that a user would, shows the time of each, and writes demo.json beside the models. The data set is
MNIST if it can be had (MNIST_DIR, cache, download), otherwise scikit-learn's digits.

Example:
  MNIST_DIR=/data/mnist python -m benchmarks.demo
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency import FILE, run_document
from benchmarks.models import setups
from benchmarks.provenance import provenance
from edgecnn.bench import leave_out
from edgecnn.check import check
from edgecnn.classifier import Classifier
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, quiet, table
from edgecnn.dataset_reading import read_dataset
from edgecnn.files import write_file
from edgecnn.flips import lost_and_gained
from edgecnn.measuring import measure
from edgecnn.modelfile import newest_model
from edgecnn.subject import QUICK
from edgecnn.tables import paragraph

STEPS = (
    ("train", "--dataset", "auto"),
    ("convert.tflite",),
    ("convert.onnx",),
    ("convert.onnx", "--quantize", "int8"),
)
REPORT = ("benchmarks.report",)
HEAD = ("model", "engine", "size", "accuracy", "flips", "p50", "verdict")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.demo`."""
    options = command_parser("python -m benchmarks.demo", __doc__).parse_args(argv)
    steps = []
    for step in STEPS:
        status, seconds = _run(step, sys.stderr if options.json else sys.stdout)
        steps.append({"command": " ".join(("python -m", *step)), "seconds": round(seconds, 1)})
        if status != OK:
            return status
    folder = newest_model().parent
    start = time.perf_counter()
    rows = results(folder)
    steps.append(
        {"command": "edgecnn check; python -m benchmarks.latency", "seconds": round(time.perf_counter() - start, 1)}
    )
    status, seconds = _run(REPORT, sys.stderr if options.json else sys.stdout)
    if status != OK:
        return status
    steps.append({"command": " ".join(("python -m", *REPORT)), "seconds": round(seconds, 1)})
    document = {"folder": folder.name, "steps": steps, "results": rows} | provenance()
    write_file(folder / "demo.json", json.dumps(document, indent=1).encode())
    if options.json:
        print_json(document)
    else:
        print(f"\n{folder}: accuracy on the test split, flips against the float model, microseconds end to end\n")
        print(table(HEAD, map(cells, rows)))
        for row in (row for row in rows if row["reasons"]):
            print(paragraph(f"INVALID p50 of {row['model']} on {row['engine']}: {'; '.join(row['reasons'])}"))
        print(f"\nAll of it, with pictures: {(folder / 'report.html').resolve()}")
    return GATE_FAILED if any(row["verdict"] == "FAIL" for row in rows) else OK


def _run(step: Sequence[str], out: Any) -> tuple[int, float]:
    """Run a command, its output going to `out`; its exit status and its seconds."""
    print(f"\n$ python -m {' '.join(step)}", file=out, flush=True)
    start = time.perf_counter()
    status = subprocess.run([sys.executable, "-m", *step], stdout=out, check=False).returncode
    seconds = time.perf_counter() - start
    print(f"({seconds:.0f} s)", file=out, flush=True)
    return status, seconds


def results(folder: Path) -> list[dict[str, Any]]:
    """Accuracy of each model on each engine on the evaluation split, and its latency, measured in a hurry."""
    run = run_document(measure(setups([folder]), QUICK, leave_out=leave_out), QUICK)
    write_file(folder / FILE, json.dumps(run, indent=1).encode())
    return [_result(folder / times["model"], times) for times in run["results"]]


def _result(path: Path, times: dict[str, Any]) -> dict[str, Any]:
    with quiet():  # engines greet on stderr
        classifier = Classifier(path, times["engine"])
    report = check(classifier, read_dataset(path.with_name("evaluation.npz"), classifier.manifest))
    flips = report.flips
    return {
        "model": path.name,
        "engine": times["engine"],
        "bytes": path.stat().st_size,
        "accuracy": report.accuracy,
        "images": report.images,
        "lost": len(flips.lost) if flips else 0,
        "gained": len(flips.gained) if flips else 0,
        "p50_us": times["end_to_end"]["p50_us"],
        "latency": times["verdict"],
        "reasons": times["reasons"],
        "verdict": report.verdict,
    }


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A result as people read it, under `HEAD`; the verdict is the accuracy's."""
    return (
        row["model"],
        row["engine"],
        f"{row['bytes'] / 1000:.0f} kB",
        f"{row['accuracy']:.4f}",
        lost_and_gained(row["lost"], row["gained"]),
        f"{row['p50_us']:.1f} us{' INVALID' if row.get('latency') == 'INVALID' else ''}",
        row["verdict"],
    )


if __name__ == "__main__":
    sys.exit(main())
