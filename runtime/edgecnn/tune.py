"""Find the fastest way to run a folder of models on this device, among those that lose nothing.

Every model on every engine with every number of threads is a candidate. Each is loaded in a process of its own (an
engine may die of it), must pass `check` on the validation images, and is timed. Those near the fastest are timed again,
in turns and in fresh processes. The lowest median wins; among those within the noise between turns, the one with the
least memory.
"""

import argparse
import random
from collections.abc import Iterable
from pathlib import Path

from edgecnn.bench import usable_counts
from edgecnn.candidate import Candidate
from edgecnn.child_process import ChildProcess, DiedError
from edgecnn.command import GATE_FAILED, OK, print_json, progress, table
from edgecnn.cpu import cores
from edgecnn.dataset_reading import read_dataset
from edgecnn.engines import ENGINES, engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable
from edgecnn.model_opening import try_in_child
from edgecnn.modelfile import read_model
from edgecnn.selection import FILE, models_in, write_selection
from edgecnn.subject import Method, Setup, Subject

NEAR = 1.5  # times the fastest first median: who is timed again
TURNS = 5  # of each finalist, the first with them
TURN = Method(windows=1, seconds=0.0, calls=500, warm_up_seconds=0.01, comparable=False)


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn tune`."""
    folder, data = options.folder, options.data or options.folder / "validation.npz"
    if not folder.is_dir():
        raise EdgecnnError(f"{folder} is no folder: name the one that holds the models and validation.npz")
    if not data.exists():
        raise EdgecnnError(f"{data} is missing: copy validation.npz there, or name labelled images with --data")
    check_writable(folder / FILE)
    _check_data(folder, data)
    tried = tune(folder, data, usable_counts(options.threads) if options.threads else thread_counts())
    winner = best(tried)
    documents = [candidate.as_document() for candidate in tried]
    path = write_selection(folder, winner.as_document(), documents) if winner else None
    if options.json:
        chosen = winner.as_document() if winner else None
        print_json({"written": path and str(path), "winner": chosen, "candidates": documents})
    else:
        print(table(_HEAD, _rows(tried, winner)))
        print(f"\n{path} written" if path else "\nno candidate passed: nothing was written")
    return OK if winner else GATE_FAILED


def _check_data(folder: Path, data: Path) -> None:
    """Read the images once before the long measurement.

    Raises:
        EdgecnnError: they fit none of the models.
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
        data: labelled images for `check` and for the calls; never the test split.
        threads: the numbers of threads to try.

    Returns:
        All candidates, the fastest first, the rejected ones last.
    """
    tried = candidates(folder, threads)
    if not tried:
        raise EdgecnnError(f"no engine is installed for the models in {folder}: edgecnn doctor says what to install")
    for number, candidate in enumerate(tried, 1):
        progress(f"{number}/{len(tried)} {candidate.model} on {candidate.engine}, threads {candidate.threads}")
        _time(candidate, folder, data, judge=True)
    _time_again(_finalists(tried), folder, data)
    return sorted(tried, key=lambda candidate: (bool(candidate.failure), candidate.p50_us if candidate.medians else 0))


def _finalists(tried: Iterable[Candidate]) -> list[Candidate]:
    passed = [candidate for candidate in tried if not candidate.failure]
    fastest = min((candidate.p50_us for candidate in passed), default=0.0)
    return [candidate for candidate in passed if candidate.p50_us <= NEAR * fastest]


def _time_again(finalists: list[Candidate], folder: Path, data: Path) -> None:
    """The turns behind the first, each in another order."""
    order = random.Random(0)
    for turn in range(2, TURNS + 1):
        progress(f"turn {turn} of {TURNS}, {len(finalists)} near the fastest")
        for candidate in order.sample(finalists, len(finalists)):
            _time(candidate, folder, data, judge=False)
    progress("")


def candidates(folder: Path, threads: Iterable[int]) -> list[Candidate]:
    """Every model on every engine that runs it here, with every number of threads that the engine can use."""
    counts = list(threads)
    return [
        Candidate(path.name, engine, count)
        for path in models_in(folder)
        for engine in engines_of(path, read_model(path).manifest.format)
        for count in ENGINES[engine].thread_counts(counts)
    ]


def best(tried: Iterable[Candidate]) -> Candidate | None:
    """The lowest median; of those within its noise, or theirs, the least memory, then the fewest threads."""
    passed = [candidate for candidate in tried if not candidate.failure]
    if not passed:
        return None
    first = min(passed, key=lambda candidate: candidate.p50_us)
    level = [one for one in passed if one.p50_us - first.p50_us <= max(first.spread_us, one.spread_us)]
    return min(level, key=lambda candidate: (candidate.memory_mb, candidate.threads, candidate.p50_us))


def _time(candidate: Candidate, folder: Path, data: Path, judge: bool) -> None:
    """Time a turn in a fresh process; with `judge` it counts only if `check` passes."""
    try:
        try_in_child(read_model(folder / candidate.model), candidate.engine)
    except EdgecnnError as error:
        candidate.failure = str(error)
        return
    setup = Setup(folder / candidate.model, candidate.engine, candidate.threads, data=data)
    process = ChildProcess(Subject, setup, TURN)
    try:
        turn = process.call(Subject.window, 0)  # first, while the process is fresh
        candidate.failure = "; ".join(process.call(Subject.failures)) if judge else ""
        if not candidate.failure:
            candidate.add(turn)
    except DiedError as death:
        candidate.failure = f"the engine died of it ({death})"
    except EdgecnnError as error:
        candidate.failure = str(error)
    finally:
        process.close()


_HEAD = ("model", "engine", "threads", "p50 us", "± us", "memory", "")


def _rows(tried: Iterable[Candidate], winner: Candidate | None) -> list[tuple[object, ...]]:
    return [_row(candidate, candidate is winner) for candidate in tried]


def _row(candidate: Candidate, chosen: bool) -> tuple[object, ...]:
    key = (candidate.model, candidate.engine, candidate.threads)
    if candidate.failure:
        return (*key, "–", "–", "–", f"out: {candidate.failure}")
    times = (f"{candidate.p50_us:.1f}", f"{candidate.spread_us:.1f}", f"{candidate.memory_mb:.0f} MB")
    return (*key, *times, "chosen" if chosen else "")
