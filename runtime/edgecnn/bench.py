"""The command `edgecnn bench`, and the document of a run.

Five windows on five real images, each 10 seconds and 1,000 calls at least; a verdict on every figure, VALID or INVALID
with the reason. The p50 is the median of the windows' medians, the other percentiles are of all calls together.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import __version__
from edgecnn.command import OK, print_json
from edgecnn.device import describe
from edgecnn.engines import ENGINES, engines_for, engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256
from edgecnn.latency_tables import screen
from edgecnn.measuring import Measurement, measure
from edgecnn.modelfile import read_model
from edgecnn.selection import model_file
from edgecnn.subject import FULL, QUICK, Method, Setup
from edgecnn.validity import Window, reasons, spread_of
from edgecnn.workers import usable_threads

SCHEMA = 1
BINS = 60  # of a histogram, from the fastest call to the 99.9th percentile; one more for the slower ones
_PERCENTILES = (50, 90, 99, 99.9)
Times = npt.NDArray[np.int64]


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn bench`."""
    method, options.model = method_of(options), model_file(options.model)
    workers = usable_counts(options.workers, "workers")
    if workers and not (1 in options.threads and 1 in options.batch):
        raise EdgecnnError("--workers is measured with one thread and one image a call: put 1 in --threads and --batch")
    measurements = measure(_setups(options), method, workers, leave_out if options.engine == "all" else None)
    if options.json:
        print_json(document(measurements, method))
    else:
        print(screen(list(map(result, measurements)), method))
    return OK


def leave_out(error: EdgecnnError) -> None:
    """Print why a subject has no row."""
    print(f"left out: {error}", file=sys.stderr)


def usable_counts(numbers: Sequence[int], name: str = "threads") -> list[int]:
    """The numbers of threads to measure, each no larger than the cores of this machine."""
    return list(dict.fromkeys(usable_threads(number, name) for number in numbers))


def method_of(options: argparse.Namespace) -> Method:
    """The method of the options."""
    method = QUICK if options.quick else FULL
    if options.seconds is None:
        return method
    return Method(method.windows, options.seconds, method.calls, method.warm_up_seconds, comparable=False)


def _setups(options: argparse.Namespace) -> list[Setup]:
    kind = read_model(options.model).manifest.format
    if options.engine == "all":
        engines = engines_of(options.model, kind)
    else:
        engines = engines_for(kind, str(options.model))[:1] if options.engine == "auto" else [options.engine]
    return [
        Setup(options.model, engine, threads, batch, options.data)
        for engine in engines
        for threads in usable_counts(options.threads)
        for batch in options.batch
        if threads <= ENGINES[engine].most_threads or options.engine != "all"
    ]


def document(measurements: Sequence[Measurement], method: Method) -> dict[str, Any]:
    """A whole run for `--json`, with the machine and the method."""
    return {
        "schema": SCHEMA,
        "kind": "latency",
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv),
        "edgecnn": __version__,
        "numpy": np.__version__,
        "device": asdict(describe()),
        "method": method.as_document(),
        "results": [result(measurement) for measurement in measurements],
    }


def result(measurement: Measurement) -> dict[str, Any]:
    """A measurement as a row: times in microseconds, memory in MB of a million bytes."""
    setup, windows, start_up = measurement.setup, measurement.windows, measurement.start_up
    why, last = reasons(windows), windows[-1]
    end_to_end = [window.end_to_end_ns for window in windows]
    return {
        "model": setup.model.name,
        "model_sha256": sha256(read_file(setup.model)),
        "engine": measurement.engine,
        "engine_version": ENGINES[measurement.engine].version,
        "threads": setup.threads,
        "batch": setup.batch,
        "verdict": "INVALID" if why else "VALID",
        "reasons": list(why),
        "load_ms": round(start_up.load_ms, 3),
        "first_ms": round(start_up.first_ms, 3),
        "warm_up": {"calls": start_up.warm_up_calls, "ms": round(start_up.warm_up_ms, 1)},
        "end_to_end": summary(end_to_end),
        "engine_call": summary([window.engine_call_ns for window in windows]),
        "images_per_second": round(setup.batch * 1e9 / float(np.mean(np.concatenate(end_to_end))), 1),
        "images_per_second_by_workers": {
            str(workers): round(rate, 1) for workers, rate in measurement.per_second.items()
        },
        "memory_mb": {"steady": last.steady_mb, "peak": measurement.peak_mb},
        "millijoules_an_image": _millijoules(windows),
        "seconds": round(sum(window.seconds for window in windows), 1),
        "clock": {"before": asdict(windows[0].before.clock), "after": asdict(last.after.clock)},
    }


def _millijoules(windows: Sequence[Window]) -> float | None:
    """Energy an image; None unless every window counted it."""
    joules = [window.joules for window in windows if window.joules is not None]
    images = sum(window.images for window in windows)
    return round(1000 * sum(joules) / images, 4) if len(joules) == len(windows) else None


def summary(windows: Sequence[Times]) -> dict[str, Any]:
    """The distribution of the calls of all windows; an array holds the nanoseconds of a window's calls."""
    together = np.concatenate(windows) / 1000
    medians = [float(np.median(window)) / 1000 for window in windows]
    pooled = {f"p{percent:g}_us": round(float(np.percentile(together, percent)), 3) for percent in _PERCENTILES}
    return {
        "calls": len(together),
        **pooled,
        "p50_us": round(float(np.median(medians)), 3),
        "min_us": round(float(together.min()), 3),
        "windows_us": [round(median, 3) for median in medians],
        "spread": round(spread_of(medians), 4),
        "histogram": _histogram(together),
    }


def _histogram(microseconds: npt.NDArray[np.float64]) -> dict[str, list[float]]:
    """The number of calls between two edges, and last the number of those slower than the last edge."""
    edges = np.geomspace(
        microseconds.min(), max(np.percentile(microseconds, 99.9), microseconds.min() * 1.01), BINS + 1
    )
    counts, _ = np.histogram(microseconds, edges)
    slower = len(microseconds) - int(counts.sum())
    return {"edges_us": [round(float(edge), 3) for edge in edges], "counts": [*counts.tolist(), slower]}
