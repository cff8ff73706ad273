"""The measuring core: what a call costs, each call timed by itself, contestants in turn.

A latency is a distribution. Warm-up calls are kept apart; then the contestants take turns in rounds, in an order that
is shuffled each round, so that a drift of the machine's speed meets all of them alike.
"""

import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.classifier import Classifier
from edgecnn.command import quiet
from edgecnn.dataset import read_dataset
from edgecnn.manifest import Manifest

IMAGES = 64  # that a benchmark goes round on
THROUGHPUT_SECONDS = 1.0  # for each number of workers
WARM_UP = 100  # calls, not counted
SETTLE = 5  # calls at the start of each turn, not counted: the last contestant left its own data in the caches
ROUNDS = 20
CALLS = 100  # a round


@dataclass(frozen=True)
class Timing:
    """The times of one contestant's calls."""

    microseconds: npt.NDArray[np.float64]  # (calls,)

    def percentile(self, percent: float) -> float:
        """Microseconds within which `percent` of the calls ended."""
        return float(np.percentile(self.microseconds, percent))

    @property
    def per_second(self) -> float:
        """Throughput: calls a second, one after the other."""
        return 1e6 / float(self.microseconds.mean())

    def as_document(self) -> dict[str, Any]:
        """For `--json`: percentiles in microseconds, throughput in calls a second."""
        shares = {f"p{percent}_us": round(self.percentile(percent), 3) for percent in (50, 90, 99)}
        return {"calls": len(self.microseconds), **shares, "per_second": round(self.per_second, 1)}


def measure(
    contestants: Mapping[str, Callable[[int], object]],
    rounds: int = ROUNDS,
    calls: int = CALLS,
    warm_up: int = WARM_UP,
    seed: int = 0,
) -> dict[str, Timing]:
    """Time every contestant's calls, interleaved.

    Args:
        contestants: by name, a function that takes the number of the call.
        rounds: turns each contestant has.
        calls: timed calls a turn.
        warm_up: calls before the first turn, not counted.
        seed: of the order within each round.

    Returns:
        By name, rounds * calls times.
    """
    order = random.Random(seed)
    names = list(contestants)
    times: dict[str, list[int]] = {name: [] for name in names}
    for name in names:
        _time(contestants[name], warm_up)
    for _ in range(rounds):
        for name in order.sample(names, len(names)):
            _time(contestants[name], SETTLE)
            times[name] += _time(contestants[name], calls)
    return {name: Timing(np.array(nanoseconds) / 1000) for name, nanoseconds in times.items()}


def _time(call: Callable[[int], object], calls: int) -> list[int]:
    """Nanoseconds of each call."""
    clock = time.perf_counter_ns
    times = []
    for number in range(calls):
        start = clock()
        call(number)
        times.append(clock() - start)
    return times


@dataclass(frozen=True)
class Bench:
    """What a model costs on an engine."""

    engine: str
    end_to_end: Timing  # raw pixels to label: `Classifier.predict`
    engine_call: Timing  # the engine's own call alone
    load_ms: float  # from the path to a classifier, the engine's import with it
    first_ms: float  # the first prediction
    memory_mb: float | None  # of the process, after the first prediction
    per_second: dict[int, float]  # images, by the number of workers of `predict_batch`

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "engine": self.engine,
            "end_to_end": self.end_to_end.as_document(),
            "engine_call": self.engine_call.as_document(),
            "load_ms": round(self.load_ms, 3),
            "first_ms": round(self.first_ms, 3),
            "memory_mb": self.memory_mb,
            "images_per_second_by_workers": {str(n): round(value, 1) for n, value in self.per_second.items()},
        }


def bench(
    path: Path,
    engine: str,
    threads: int,
    data: Path | None,
    rounds: int = ROUNDS,
    calls: int = CALLS,
    workers: Sequence[int] = (),
) -> Bench:
    """Load a model and measure it; call it in a fresh process, else load time and memory are those of others too.

    Args:
        path: the model.
        engine: its name.
        threads: for one inference.
        data: images to go round on; those that lie beside the model, or noise, where it is None.
        rounds: turns.
        calls: timed calls a turn, of each kind.
        workers: numbers of threads to measure the throughput of `predict_batch` with.
    """
    start = time.perf_counter()
    with quiet():  # engines greet on stderr
        classifier = Classifier(path, engine, threads)
    loaded = time.perf_counter()
    blank = np.zeros(classifier.manifest.input.shape, np.uint8)
    classifier.predict(blank)
    first = time.perf_counter()
    memory = resident_mb()
    images = images_for(path, classifier.manifest, data)
    times = measure(
        {"predict": lambda n: classifier.predict(images[n % len(images)]), "call": lambda _: classifier.invoke()},
        rounds,
        calls,
    )
    return Bench(
        engine=classifier.engine,
        end_to_end=times["predict"],
        engine_call=times["call"],
        load_ms=1000 * (loaded - start),
        first_ms=1000 * (first - loaded),
        memory_mb=memory,
        per_second={number: throughput(classifier, images, number) for number in workers},
    )


def throughput(classifier: Classifier, images: npt.NDArray[np.uint8], workers: int) -> float:
    """Images a second that `predict_batch` answers with this many workers."""
    end = time.perf_counter() + THROUGHPUT_SECONDS

    def stream() -> Any:
        while time.perf_counter() < end:
            yield from images

    start = time.perf_counter()
    answered = sum(1 for _ in classifier.predict_batch(stream(), workers))
    return answered / (time.perf_counter() - start)


def images_for(path: Path, manifest: Manifest, data: Path | None = None) -> npt.NDArray[np.uint8]:
    """Images to measure a model on: of `data`, of the evaluation split beside the model, or noise.

    Returns:
        uint8, (64 or fewer, height, width, channels).
    """
    beside = data or path.with_name("evaluation.npz")
    if data or beside.exists():
        return read_dataset(beside, manifest).images[:IMAGES]
    return np.random.default_rng(0).integers(0, 256, (IMAGES, *manifest.input.shape), np.uint8)


def resident_mb() -> float | None:
    """Memory of this process, resident, in MB of a million bytes; None where the system does not tell."""
    status = Path("/proc/self/status")
    found = re.search(r"^VmRSS:\s*(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    return round(int(found[1]) * 1024 / 1e6, 1) if found else None
