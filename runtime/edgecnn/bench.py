"""The command `edgecnn bench`, and what is told of a subject that was measured.

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
from edgecnn.command import OK, print_json, table
from edgecnn.device import describe
from edgecnn.engines import ENGINES, engines_for, engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256
from edgecnn.measuring import FULL, QUICK, Measured, Method, Setup, measure
from edgecnn.modelfile import read_model
from edgecnn.selection import model_file
from edgecnn.tables import paragraph
from edgecnn.validity import reasons, spread_of
from edgecnn.workers import usable_threads

SCHEMA = 1
BINS = 60  # of a histogram, from the fastest call to the 99.9th percentile; one more for the slower ones
_PERCENTILES = (50, 90, 99, 99.9)
Times = npt.NDArray[np.int64]


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn bench`."""
    method, options.model = method_of(options), model_file(options.model)
    workers = usable(options.workers, "workers")
    if workers and not (1 in options.threads and 1 in options.batch):
        raise EdgecnnError("--workers is measured with one thread and one image a call: put 1 in --threads and --batch")
    found = measure(_setups(options), method, workers, leave_out if options.engine == "all" else None)
    if options.json:
        print_json(document(found, method))
    else:
        print(screen(found, method))
    return OK


def leave_out(error: EdgecnnError) -> None:
    """Say why a subject has no row."""
    print(f"left out: {error}", file=sys.stderr)


def usable(numbers: Sequence[int], name: str = "threads") -> list[int]:
    """The numbers of threads to measure, each no larger than the cores of this machine."""
    return list(dict.fromkeys(usable_threads(number, name) for number in numbers))


def method_of(options: argparse.Namespace) -> Method:
    """The method that the options ask for."""
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
        for threads in usable(options.threads)
        for batch in options.batch
        if threads <= ENGINES[engine].most_threads or options.engine != "all"
    ]


def document(found: Sequence[Measured], method: Method) -> dict[str, Any]:
    """A whole run for `--json`, with what it was measured on and how."""
    return {
        "schema": SCHEMA,
        "kind": "latency",
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(sys.argv),
        "edgecnn": __version__,
        "numpy": np.__version__,
        "device": asdict(describe()),
        "method": method.as_document(),
        "results": [result(each) for each in found],
    }


def result(found: Measured) -> dict[str, Any]:
    """All that is told of one subject: times in microseconds, memory in MB of a million bytes."""
    setup, why = found.setup, reasons(found.windows)
    end_to_end = [window.end_to_end_ns for window in found.windows]
    seconds = sum(window.seconds for window in found.windows)
    joules = [window.joules for window in found.windows if window.joules is not None]
    images = sum(window.images for window in found.windows)
    last = found.windows[-1]
    return {
        "model": setup.model.name,
        "model_sha256": sha256(read_file(setup.model)),
        "engine": found.engine,
        "engine_version": ENGINES[found.engine].version,
        "threads": setup.threads,
        "batch": setup.batch,
        "verdict": "INVALID" if why else "VALID",
        "reasons": list(why),
        "load_ms": round(found.start.load_ms, 3),
        "first_ms": round(found.start.first_ms, 3),
        "warm_up": {"calls": found.start.warm_up_calls, "ms": round(found.start.warm_up_ms, 1)},
        "end_to_end": summary(end_to_end),
        "engine_call": summary([window.engine_call_ns for window in found.windows]),
        "images_per_second": round(setup.batch * 1e9 / float(np.mean(np.concatenate(end_to_end))), 1),
        "images_per_second_by_workers": {str(workers): round(rate, 1) for workers, rate in found.per_second.items()},
        "memory_mb": {"steady": last.steady_mb, "peak": found.peak_mb},
        "millijoules_an_image": round(1000 * sum(joules) / images, 4) if len(joules) == len(found.windows) else None,
        "seconds": round(seconds, 1),
        "clock": {"before": asdict(found.windows[0].before.clock), "after": asdict(last.after.clock)},
    }


def summary(windows: Sequence[Times]) -> dict[str, Any]:
    """The distribution of calls that were seen through windows; each array holds nanoseconds."""
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
    """How many calls ended between two edges; those slower than the last edge are counted behind them."""
    edges = np.geomspace(
        microseconds.min(), max(np.percentile(microseconds, 99.9), microseconds.min() * 1.01), BINS + 1
    )
    counts, _ = np.histogram(microseconds, edges)
    slower = len(microseconds) - int(counts.sum())
    return {"edges_us": [round(float(edge), 3) for edge in edges], "counts": [*counts.tolist(), slower]}


def screen(found: Sequence[Measured], method: Method) -> str:
    """A run for people: end to end, what else was timed, how it began."""
    rows = [result(each) for each in found]
    parts = [_columns(names, rows) for names in (_LATENCY, _RATE, _START)]
    throughputs = [
        (row["engine"], workers, f"{rate:,.0f}")
        for row in rows
        for workers, rate in row["images_per_second_by_workers"].items()
    ]
    if throughputs:
        parts.append(table(("engine", "workers", "images/s"), throughputs))
    parts.append(told(rows, method))
    return "\n\n".join(parts)


def told(rows: Sequence[dict[str, Any]], method: Method) -> str:
    """How it was measured, and why a figure is INVALID, in words."""
    times = f"{method.windows} windows of {method.seconds:g} s and {method.calls:,} calls at least"
    lines = [f"microseconds; {times}" + ("" if method.comparable else ": NOT COMPARABLE with other runs")]
    lines += [f"INVALID {named(row)}: {'; '.join(row['reasons'])}" for row in rows if row["reasons"]]
    return "\n".join(map(paragraph, lines))


def named(row: dict[str, Any]) -> str:
    """What a result is of, in words."""
    threads = f", {row['threads']} threads" if row["threads"] > 1 else ""
    return f"{row['model']} on {row['engine']}{threads}" + (
        f", {row['batch']} images a call" if row["batch"] > 1 else ""
    )


HEAD = (
    *("model", "engine", "threads", "batch", "p50", "p90", "p99", "p99.9", "min", "±"),
    *("images/s", "call p50", "verdict"),
)
_START_HEAD = ("load ms", "first ms", "steady MB", "peak MB", "mJ an image")
# What a screen of 80 columns shows in three tables; threads and batch where one is not 1.
_LATENCY = ("p50", "p90", "p99", "p99.9", "±", "verdict")
_RATE = ("min", "call p50", "images/s", "mJ an image")
_START = ("load ms", "first ms", "steady MB", "peak MB")


def _columns(names: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """A table of some of the figures."""
    named = ["model", "engine", *(key for key in ("threads", "batch") if any(row[key] != 1 for row in rows))]
    figures = [dict(zip((*HEAD, *_START_HEAD), (*cells(row), *_start_cells(row)), strict=True)) for row in rows]
    return table([*named, *names], [[row[name] for name in (*named, *names)] for row in figures])


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A result as people read it, under `HEAD`."""
    end_to_end = row["end_to_end"]
    return (
        row["model"],
        row["engine"],
        str(row["threads"]),
        str(row["batch"]),
        *(f"{end_to_end[key]:.1f}" for key in ("p50_us", "p90_us", "p99_us", "p99.9_us", "min_us")),
        f"{end_to_end['spread']:.1%}",
        f"{row['images_per_second']:,.0f}",
        f"{row['engine_call']['p50_us']:.1f}",
        row["verdict"],
    )


def _start_cells(row: dict[str, Any]) -> tuple[str, ...]:
    energy = row["millijoules_an_image"]
    return (
        f"{row['load_ms']:.0f}",
        f"{row['first_ms']:.1f}",
        *(f"{value:.0f}" if value else "–" for value in row["memory_mb"].values()),
        f"{energy:.3f}" if energy else "–",
    )
