"""Time edgecnn beside what people write today, on the same weights and test images, in one run on one pinned core.

Each contestant lives in a process of its own; they take turns in random order. End to end is raw pixels to label. A
ratio is of medians, its 95 % interval by bootstrap over the turns. Accuracy is on the first 1,000 test images, Keras's
on 100. A peer that is not installed is named as missing: pip install -r requirements/peers.txt brings them.

Examples:
  python -m benchmarks.peers artifacts/mnist --json
  python -m benchmarks.peers resnet8
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import contest
from benchmarks.ncnn_files import write_ncnn
from benchmarks.provenance import provenance
from benchmarks.suite.build import keras_of
from benchmarks.suite.networks import NETWORKS
from benchmarks.turns import Times, ratio
from edgecnn import arguments
from edgecnn.child_process import in_child
from edgecnn.command import OK, command, command_parser, print_json, progress, table
from edgecnn.errors import EdgecnnError, warn
from edgecnn.files import check_writable, write_file
from edgecnn.modelfile import newest_model
from edgecnn.programs import run_program

CONTESTANTS = (
    "edgecnn_native_int8",
    "edgecnn_litert_int8",
    "edgecnn_tflite_float",
    "edgecnn_onnx_int8",
    "edgecnn_onnx_float",
    "litert_int8_script",
    "tflite_float_script",
    "onnx_int8_script",
    "onnx_float_script",
    "openvino_int8",
    "openvino_float",
    "mnn_float",
    "ncnn_float",
    "keras_call",
    "keras_predict",
    "edgecnn_native_int8_call",
    "edgecnn_litert_int8_call",
    "plain_litert_int8_call",
)
# Ours, theirs, and the ratio aimed at.
RATIOS = (
    ("edgecnn_native_int8", "litert_int8_script", 0.22),
    ("edgecnn_native_int8_call", "edgecnn_litert_int8_call", 0.45),
    ("edgecnn_native_int8", "onnx_int8_script", None),
    ("edgecnn_native_int8", "openvino_int8", None),
    ("edgecnn_native_int8", "tflite_float_script", None),
    ("edgecnn_litert_int8", "litert_int8_script", 0.50),
    ("edgecnn_litert_int8_call", "plain_litert_int8_call", 0.70),
    ("edgecnn_tflite_float", "tflite_float_script", 0.20),
    ("edgecnn_onnx_int8", "onnx_int8_script", 0.45),
    ("edgecnn_onnx_int8", "onnx_float_script", 0.45),
    ("edgecnn_litert_int8", "openvino_int8", 0.65),
    ("edgecnn_litert_int8", "openvino_float", 0.65),
    ("edgecnn_litert_int8", "mnn_float", 0.65),
    ("edgecnn_litert_int8", "ncnn_float", 0.65),
    ("edgecnn_litert_int8", "keras_predict", 0.01),
)
TURNS = 40
MAX_DROP = "0.005"  # the converters' default


@dataclass(frozen=True)
class ContestantFigures:
    """The figures of a contestant."""

    name: str
    accuracy: float | None  # None for a call without an answer
    p50_us: float
    p99_us: float


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.peers`."""
    parser = command_parser("python -m benchmarks.peers", __doc__)
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        help=f"holds model.keras and its images, or {', '.join(NETWORKS)} of the suite (default: the newest)",
    )
    parser.add_argument(
        "--turns", type=arguments.count(1, 10_000), default=TURNS, help=f"of each contestant (default {TURNS})"
    )
    parser.add_argument("--core", type=arguments.core, default=0, help="that all are pinned to (default 0)")
    parser.add_argument("--picture", type=Path, help="default: peers.png in the folder")
    options = parser.parse_args(argv)
    untrained = str(options.folder) in NETWORKS and not options.folder.exists()
    folder = keras_of(str(options.folder)) if untrained else options.folder or newest_model().parent
    picture = options.picture or folder / "peers.png"
    check_writable(picture)
    files = prepare(folder, "1" if untrained else MAX_DROP)
    outcome = contest(CONTESTANTS, folder, files, options.turns, options.core)
    times, missing = outcome.times, outcome.missing
    rows = [_row(name, outcome.accuracies[name], times[name]) for name in times]
    ratios = [_ratio(ours, theirs, aim, times) for ours, theirs, aim in RATIOS if {ours, theirs} <= times.keys()]
    write_file(picture, draw(rows))
    if options.json:
        print_json({"rows": [asdict(row) for row in rows], "ratios": ratios, "missing": missing} | provenance())
    else:
        print(table(("contestant", "accuracy", "p50 us", "p99 us"), map(_cells, rows)))
        print("\n" + table(("ours", "theirs", "ratio", "95 %", "aim"), map(_ratio_cells, ratios)))
        for name, reason in missing.items():
            print(f"{name} is missing: {reason}")
        print(picture)
    return OK


def prepare(folder: Path, max_drop: str = MAX_DROP) -> Path:
    """Write the exports that are compared to FOLDER/peers, if they are not newer than the model.

    Args:
        folder: of model.keras and its images.
        max_drop: for the gate; 1 for an untrained network, whose answers hang on a last bit.
    """
    files, parent = folder / "peers", folder / "model.keras"
    variants = [
        (optimize, quantize, kind, batch)
        for kind in ("tflite", "onnx")
        for quantize in ("int8", "none")
        for optimize, batch in (("edge", "1"), ("none", "1"), ("none", "dynamic"))
    ]
    for optimize, quantize, kind, batch in variants:
        name = f"{'plain' if optimize == 'none' else optimize}_{'float32' if quantize == 'none' else quantize}"
        output = files / f"{name}{'_batchany' if batch == 'dynamic' else ''}.{kind}"
        if output.exists() and output.stat().st_mtime > parent.stat().st_mtime:
            continue
        gate = ("--max-drop", max_drop)
        words = ("--quantize", quantize, "--optimize", optimize, "--batch", batch, *gate)
        _convert(output, f"convert.{kind}", parent, *words)
        if (optimize, quantize, kind, batch) == ("none", "int8", "tflite", "1"):
            _or_warn(_convert, output.with_suffix(".c"), "convert.c", output, "--build", "host")
    _or_warn(in_child, write_ncnn, files)  # TensorFlow and ncnn do not live in one process
    return files


def _convert(output: Path, *words: object) -> None:
    """Run a converter."""
    progress(f"converting {output.name}")
    command = (sys.executable, "-m", *words, "--output", output)
    run_program(*command, failure=f"{output.name} could not be converted")


def _or_warn(function: Callable[..., object], *values: object) -> None:
    """Call a function; if the network is beyond its format, go on without that contestant."""
    try:
        function(*values)
    except EdgecnnError as error:
        warn(str(error))


def _row(name: str, accuracy: float | None, times: Times) -> ContestantFigures:
    return ContestantFigures(name, accuracy, float(np.median(times)), float(np.percentile(times, 99)))


def _ratio(ours: str, theirs: str, aim: float | None, times: dict[str, Times]) -> dict[str, Any]:
    middle, low, high = ratio(times[ours], times[theirs])
    return {"ours": ours, "theirs": theirs, "ratio": middle, "low": low, "high": high, "aim": aim}


def _cells(row: ContestantFigures) -> tuple[str, ...]:
    return row.name, "" if row.accuracy is None else f"{row.accuracy:.3f}", f"{row.p50_us:.1f}", f"{row.p99_us:.1f}"


def _ratio_cells(ratio: dict[str, Any]) -> tuple[str, ...]:
    interval = f"{ratio['low']:.3f} to {ratio['high']:.3f}"
    return (
        ratio["ours"],
        ratio["theirs"],
        f"{ratio['ratio']:.3f}",
        interval,
        f"{ratio['aim']:g}" if ratio["aim"] else "–",
    )


def draw(rows: Sequence[ContestantFigures]) -> bytes:
    """Bars of the medians, end to end, the fastest on top, as a PNG."""
    from workstation.charts import BLUE, bars

    shown = sorted((row for row in rows if row.accuracy is not None), key=lambda row: row.p50_us)
    colours = [BLUE if row.name.startswith("edgecnn") else "#b9bec6" for row in shown]
    names, values = [row.name.replace("_", " ") for row in shown], [row.p50_us for row in shown]
    xlabel = "microseconds from raw pixels to label, median, one core (less is better)"
    return bars(names, values, "%.0f", colours, log=True, xlabel=xlabel)


if __name__ == "__main__":
    sys.exit(main())
