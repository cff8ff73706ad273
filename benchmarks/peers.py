"""edgecnn beside what people write today, on the same weights and test images, in one run on one pinned core.

Each contestant lives in a process of its own; they take turns in random order. End to end is raw pixels to label. A
ratio is of medians, its 95 % interval by bootstrap over the turns. Accuracy is on the first 1,000 test images, Keras's
on 100. A peer that is not installed is named as missing: pip install -r requirements/peers.txt brings them.

Example:
  python -m benchmarks.peers artifacts/mnist --json
"""

import io
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks import scripts
from benchmarks.origin import origin
from edgecnn import arguments
from edgecnn.child_process import in_child
from edgecnn.command import OK, command, command_parser, print_json, progress, quiet, table
from edgecnn.dataset_reading import read_answered
from edgecnn.files import check_writable, write_file
from edgecnn.modelfile import newest_model, read_model
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
TURNS, CALLS, SETTLE = 40, 40, 5
ACCURACY_IMAGES = 1000
_KERAS_IMAGES = 100  # milliseconds each
_RESAMPLES = 2000


@dataclass(frozen=True)
class Row:
    """What a contestant did."""

    name: str
    accuracy: float | None  # None for a call without an answer
    p50_us: float
    p99_us: float


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.peers`."""
    parser = command_parser("python -m benchmarks.peers", __doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="holds model.keras and its images (default: the newest)")
    parser.add_argument(
        "--turns", type=arguments.count(1, 10_000), default=TURNS, help=f"of each contestant (default {TURNS})"
    )
    parser.add_argument("--core", type=arguments.core, default=0, help="that all are pinned to (default 0)")
    parser.add_argument("--picture", type=Path, help="default: peers.png in the folder")
    options = parser.parse_args(argv)
    folder = options.folder or newest_model().parent
    picture = options.picture or folder / "peers.png"
    check_writable(picture)
    files = prepare(folder)
    times, accuracies, missing = contest(folder, files, options.turns, options.core)
    rows = [_row(name, accuracies[name], times[name]) for name in times]
    ratios = [_ratio(ours, theirs, aim, times) for ours, theirs, aim in RATIOS if {ours, theirs} <= times.keys()]
    write_file(picture, draw(rows))
    if options.json:
        print_json({"rows": [asdict(row) for row in rows], "ratios": ratios, "missing": missing} | origin())
    else:
        print(table(("contestant", "accuracy", "p50 us", "p99 us"), map(_cells, rows)))
        print("\n" + table(("ours", "theirs", "ratio", "95 %", "aim"), map(_ratio_cells, ratios)))
        for name, reason in missing.items():
            print(f"{name} is missing: {reason}")
        print(picture)
    return OK


def prepare(folder: Path) -> Path:
    """The exports that are compared, in FOLDER/peers, made where they are not newer than the model."""
    files, parent = folder / "peers", folder / "model.keras"
    wanted = [
        (how, quantize, kind, batch)
        for kind in ("tflite", "onnx")
        for quantize in ("int8", "none")
        for how, batch in (("edge", "1"), ("none", "1"), ("none", "dynamic"))
    ]
    for how, quantize, kind, batch in wanted:
        name = f"{'plain' if how == 'none' else how}_{'float32' if quantize == 'none' else quantize}"
        output = files / f"{name}{'_batchany' if batch == 'dynamic' else ''}.{kind}"
        if output.exists() and output.stat().st_mtime > parent.stat().st_mtime:
            continue
        _convert(output, f"convert.{kind}", parent, "--quantize", quantize, "--optimize", how, "--batch", batch)
        if (how, quantize, kind, batch) == ("none", "int8", "tflite", "1"):
            _convert(output.with_suffix(".c"), "convert.c", output, "--build", "host")
    in_child(scripts.write_ncnn, files)  # TensorFlow and ncnn do not live in one process
    return files


def _convert(output: Path, *words: object) -> None:
    """Run a converter."""
    progress(f"converting {output.name}")
    command = (sys.executable, "-m", *words, "--output", output)
    run_program(*command, failure=f"{output.name} could not be converted")


def contest(
    folder: Path, files: Path, turns: int, core: int
) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, float | None], dict[str, str]]:
    """Start every contestant, and time them in turns.

    Returns:
        By name: microseconds, (turns, calls); the accuracy; and of those that could not be started why.
    """
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    accuracies: dict[str, float | None] = {}
    missing: dict[str, str] = {}
    for name in CONTESTANTS:
        progress(f"starting {name}")
        ours, theirs = context.Pipe()
        context.Process(target=_serve, args=(theirs, name, folder, files, core), daemon=True).start()
        theirs.close()
        try:
            answer = ours.recv()
        except EOFError:
            answer = "its process died"
        if isinstance(answer, str):
            missing[name] = answer
        else:
            pipes[name], accuracies[name] = ours, answer[0]
    times: dict[str, list[list[float]]] = {name: [] for name in pipes}
    order = random.Random(0)
    for turn in range(turns):
        progress(f"turn {turn + 1} of {turns}")
        for name in order.sample(list(pipes), len(pipes)):
            pipes[name].send(CALLS)
            times[name].append(pipes[name].recv())
    progress("")
    for pipe in pipes.values():
        pipe.send(0)
    return {name: np.array(each) for name, each in times.items()}, accuracies, missing


def _serve(pipe: Connection, name: str, folder: Path, files: Path, core: int) -> None:
    """A contestant's process: says its accuracy, then times as many calls as it is told, until that is 0."""
    os.sched_setaffinity(0, {core})
    data = read_answered(folder / "evaluation.npz", read_model(folder / "model.keras").manifest)
    assert data.labels is not None
    try:
        with quiet():
            classify = getattr(scripts, name)(files)
            images = data.images[: _KERAS_IMAGES if name.startswith("keras") else ACCURACY_IMAGES]
            answers = [classify(image) for image in images]
    except Exception as error:  # an engine that is not there, or that refuses a file
        pipe.send(" ".join(str(error).split())[:200])
        return
    right = float(np.mean(np.array(answers) == data.labels[: len(answers)]))
    pipe.send((None if -1 in answers else right,))
    clock, at = time.perf_counter_ns, 0
    while calls := pipe.recv():
        found = []
        for number in range(SETTLE + calls):
            image = images[(at + number) % len(images)]
            start = clock()
            classify(image)
            found.append((clock() - start) / 1000)
        at += calls
        pipe.send(found[SETTLE:])


def _row(name: str, accuracy: float | None, times: npt.NDArray[np.float64]) -> Row:
    return Row(name, accuracy, float(np.median(times)), float(np.percentile(times, 99)))


def _ratio(ours: str, theirs: str, aim: float | None, times: dict[str, npt.NDArray[np.float64]]) -> dict[str, Any]:
    """The ratio of medians, and its interval: turns are drawn again, with replacement, the same for both."""
    one, other = times[ours], times[theirs]
    draws = np.random.default_rng(0).integers(0, len(one), (_RESAMPLES, len(one)))
    resampled = [float(np.median(one[draw]) / np.median(other[draw])) for draw in draws]
    low, high = np.percentile(resampled, (2.5, 97.5))
    ratio = float(np.median(one) / np.median(other))
    return {"ours": ours, "theirs": theirs, "ratio": ratio, "low": float(low), "high": float(high), "aim": aim}


def _cells(row: Row) -> tuple[str, ...]:
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


def draw(rows: Sequence[Row]) -> bytes:
    """Bars of the medians, end to end, the fastest on top, as a PNG."""
    import matplotlib
    from matplotlib.figure import Figure

    shown = sorted((row for row in rows if row.accuracy is not None), key=lambda row: row.p50_us)
    colours = ["#2f6db5" if row.name.startswith("edgecnn") else "#b9bec6" for row in shown]
    with matplotlib.rc_context({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10}):
        figure = Figure(figsize=(8, 1.2 + 0.34 * len(shown)), layout="constrained")
        axes = figure.subplots()
        bars = axes.barh([row.name.replace("_", " ") for row in shown], [row.p50_us for row in shown], color=colours)
        axes.bar_label(bars, fmt="%.0f", padding=3, color="#444444")
        axes.invert_yaxis()
        axes.set(xscale="log", xlabel="microseconds from raw pixels to label, median, one core (less is better)")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
