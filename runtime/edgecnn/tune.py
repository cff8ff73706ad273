"""Find the fastest way to run a folder of models on this device, among those that lose nothing.

Every model on every engine with every number of threads is a candidate. Each is loaded in a process of its own (an
engine may die of it), must pass `check` on the validation images, and is timed. Those near the fastest are timed again,
in turns and in fresh processes. The lowest median wins; among those that the noise between turns does not tell from it,
the one that takes the least memory.
"""

import argparse
import random
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.bench import usable
from edgecnn.child_process import ChildProcess, DiedError
from edgecnn.command import GATE_FAILED, OK, print_json, progress, table
from edgecnn.dataset_reading import read_dataset
from edgecnn.device import cores
from edgecnn.engines import ENGINES, engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable
from edgecnn.measuring import Method, Setup, Subject
from edgecnn.model_opening import try_in_child
from edgecnn.modelfile import read_model
from edgecnn.selection import FILE, models_in, write_selection
from edgecnn.validity import Window

NEAR = 1.5  # times the fastest first median: who is timed again
TURNS = 5  # of each finalist, the first with them
TURN = Method(windows=1, seconds=0.0, calls=500, warm_up_seconds=0.01, comparable=False)


@dataclass
class Candidate:
    """A model on an engine with a number of threads, and what was found of it."""

    model: str
    engine: str
    threads: int
    medians: list[float] = field(default_factory=list)  # microseconds end to end, one a turn
    memory_mb: float = 0.0
    failure: str = ""  # why it is out

    @property
    def p50_us(self) -> float:
        """The median of the turns' medians, microseconds."""
        return statistics.median(self.medians)

    @property
    def spread_us(self) -> float:
        """Half the range of the turns' medians, microseconds."""
        return (max(self.medians) - min(self.medians)) / 2

    def add(self, found: Window) -> None:
        """Take note of one more turn."""
        self.medians.append(float(np.median(found.end_to_end_ns)) / 1000)
        self.memory_mb = max(self.memory_mb, found.steady_mb or 0.0)

    def as_document(self) -> dict[str, Any]:
        """For `selection.json` and `--json`."""
        named = {"model": self.model, "engine": self.engine, "threads": self.threads}
        if self.failure:
            return named | {"failure": self.failure}
        times = {"p50_us": round(self.p50_us, 2), "spread_us": round(self.spread_us, 2), "turns": len(self.medians)}
        return named | times | {"memory_mb": self.memory_mb}


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn tune`."""
    folder, data = options.folder, options.data or options.folder / "validation.npz"
    if not folder.is_dir():
        raise EdgecnnError(f"{folder} is no folder: name the one that holds the models and validation.npz")
    if not data.exists():
        raise EdgecnnError(f"{data} is missing: copy validation.npz there, or name labelled images with --data")
    check_writable(folder / FILE)
    _check_data(folder, data)
    found = tune(folder, data, usable(options.threads) if options.threads else thread_counts())
    winner = best(found)
    documents = [each.as_document() for each in found]
    path = write_selection(folder, winner.as_document(), documents) if winner else None
    if options.json:
        chosen = winner.as_document() if winner else None
        print_json({"written": path and str(path), "winner": chosen, "candidates": documents})
    else:
        print(table(_HEAD, _rows(found, winner)))
        print(f"\n{path} written" if path else "\nno candidate passed: nothing was written")
    return OK if winner else GATE_FAILED


def _check_data(folder: Path, data: Path) -> None:
    """Read the images, which take long to measure with, once before.

    Raises:
        EdgecnnError: they are for none of the models.
    """
    failures = []
    for path in models_in(folder):
        try:
            read_dataset(data, read_model(path).manifest)
            return
        except EdgecnnError as error:
            failures.append(error)
    raise failures[0]


def thread_counts() -> list[int]:
    """1, 2, 4, … up to the cores of this device."""
    count = cores()
    return [2**power for power in range(count.bit_length()) if 2**power <= count]


def tune(folder: Path, data: Path, threads: Iterable[int]) -> list[Candidate]:
    """Try every candidate, and time those near the fastest again.

    Args:
        folder: holds the models.
        data: labelled images for `check`, and to go round on; never the test split.
        threads: the numbers of threads to try.

    Returns:
        All candidates, the fastest first, those that are out last.
    """
    found = candidates(folder, threads)
    if not found:
        raise EdgecnnError(f"no engine is installed for the models in {folder}: edgecnn doctor says what to install")
    for number, each in enumerate(found, 1):
        progress(f"{number}/{len(found)} {each.model} on {each.engine}, threads {each.threads}")
        _time(each, folder, data, judge=True)
    order = random.Random(0)
    running = [each for each in found if not each.failure]
    fastest = min((each.p50_us for each in running), default=0.0)
    finalists = [each for each in running if each.p50_us <= NEAR * fastest]
    for turn in range(2, TURNS + 1):
        progress(f"turn {turn} of {TURNS}, {len(finalists)} near the fastest")
        for each in order.sample(finalists, len(finalists)):
            _time(each, folder, data, judge=False)
    progress("")
    return sorted(found, key=lambda each: (bool(each.failure), each.p50_us if each.medians else 0.0))


def candidates(folder: Path, threads: Iterable[int]) -> list[Candidate]:
    """Every model on every engine that is here for it, with every number of threads that the engine can use."""
    counts = list(threads)
    return [
        Candidate(path.name, engine, count)
        for path in models_in(folder)
        for engine in engines_of(path, read_model(path).manifest.format)
        for count in ENGINES[engine].thread_counts(counts)
    ]


def best(found: Iterable[Candidate]) -> Candidate | None:
    """The lowest median; of those within its noise, or theirs, the least memory, then the fewest threads."""
    running = [each for each in found if not each.failure]
    if not running:
        return None
    first = min(running, key=lambda each: each.p50_us)
    level = [each for each in running if each.p50_us - first.p50_us <= max(first.spread_us, each.spread_us)]
    return min(level, key=lambda each: (each.memory_mb, each.threads, each.p50_us))


def _time(each: Candidate, folder: Path, data: Path, judge: bool) -> None:
    """One turn in a fresh process; with `judge`, `check` before it counts."""
    try:
        try_in_child(read_model(folder / each.model), each.engine)
    except EdgecnnError as error:
        each.failure = str(error)
        return
    process = ChildProcess(Subject, Setup(folder / each.model, each.engine, each.threads, data=data), TURN)
    try:
        found = process.call(Subject.window, 0)  # first, while the process is fresh
        each.failure = "; ".join(process.call(Subject.failures)) if judge else ""
        if not each.failure:
            each.add(found)
    except DiedError as death:
        each.failure = f"the engine died of it ({death})"
    except EdgecnnError as error:
        each.failure = str(error)
    finally:
        process.close()


_HEAD = ("model", "engine", "threads", "p50 us", "± us", "memory", "")


def _rows(found: Iterable[Candidate], winner: Candidate | None) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for each in found:
        named = (each.model, each.engine, each.threads)
        if each.failure:
            rows.append((*named, "–", "–", "–", f"out: {each.failure}"))
        else:
            times = (f"{each.p50_us:.1f}", f"{each.spread_us:.1f}", f"{each.memory_mb:.0f} MB")
            rows.append((*named, *times, "chosen" if each is winner else ""))
    return rows
