"""The measuring core: what a call costs, as a distribution, after the rules of MLPerf Tiny and pyperf.

Every subject (a model on an engine) lives in a process of its own. Loading, the first call, the warm-up and the steady
state are told apart. The steady state is seen through windows: each goes over one real image, for so many seconds and
so many calls at least. Between two windows the subjects take turns in an order that is shuffled, so that a drift of the
machine's speed meets all alike. Within a window the calls end to end and those of the engine alone alternate. Sources:
C. Banbury et al. (2021), "MLPerf Tiny Benchmark"; V. Stinner, pyperf.
"""

import contextlib
import random
import re
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edgecnn.check import check
from edgecnn.child_process import ChildProcess, DiedError
from edgecnn.classifier import Classifier
from edgecnn.command import progress, quiet
from edgecnn.dataset_reading import read_dataset
from edgecnn.energy import EnergyMeter
from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from edgecnn.model_opening import try_in_child
from edgecnn.modelfile import read_model
from edgecnn.validity import Window, look

THROUGHPUT_SECONDS = 1.0  # for each number of workers
CHUNK = 100  # calls of one kind, before those of the other kind
SETTLE = 20  # calls at the start of a window, not counted: another subject left its own data in the caches
Image = npt.NDArray[np.uint8]
_R = TypeVar("_R")


@dataclass(frozen=True)
class Method:
    """How long to look."""

    windows: int
    seconds: float  # of a window, at least
    calls: int  # of each kind in a window, at least
    warm_up_seconds: float
    comparable: bool  # with other runs

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "windows": self.windows,
            "seconds": self.seconds,
            "calls": self.calls,
            "warm_up_seconds": self.warm_up_seconds,
            "comparable": self.comparable,
        }


FULL = Method(windows=5, seconds=10.0, calls=1000, warm_up_seconds=1.0, comparable=True)
QUICK = Method(windows=5, seconds=0.3, calls=100, warm_up_seconds=0.1, comparable=False)


@dataclass(frozen=True)
class Setup:
    """What is measured; images are those of `data`, of the evaluation split beside the model, or noise."""

    model: Path
    engine: str
    threads: int = 1
    batch: int = 1  # images a call
    data: Path | None = None


@dataclass(frozen=True)
class Start:
    """What it took to come to the steady state."""

    load_ms: float  # from the path to a classifier, the engine's import with it
    first_ms: float  # the first call
    warm_up_calls: int
    warm_up_ms: float


@dataclass(frozen=True)
class Measured:
    """A subject that was measured."""

    setup: Setup
    engine: str  # that was taken
    start: Start
    windows: tuple[Window, ...]
    peak_mb: float | None
    per_second: dict[int, float]  # images, by the number of workers of `predict_batch`


class Subject:
    """A model on an engine, loaded in this process."""

    def __init__(self, setup: Setup, method: Method) -> None:
        begin = time.perf_counter()
        with quiet():  # engines greet on stderr
            self._classifier = Classifier(setup.model, setup.engine, setup.threads)
        loaded = time.perf_counter()
        self._method = method
        self._images = images_for(setup.model, self._classifier.manifest, max(method.windows, 1), setup.data)
        predict, runs = self._calls(setup.batch, 0)
        ready = time.perf_counter()
        predict()
        first = time.perf_counter()
        warm_up = 0
        while time.perf_counter() - first < method.warm_up_seconds:
            _time(predict, CHUNK)
            _time(runs, CHUNK)
            warm_up += CHUNK
        warm = time.perf_counter() - first
        self._batch, self._data = setup.batch, setup.data
        self._start = Start(1000 * (loaded - begin), 1000 * (first - ready), warm_up, 1000 * warm)

    def _calls(self, batch: int, window: int) -> tuple[Callable[[], object], Callable[[], object]]:
        """One call end to end on the window's image, and what the engine does of it."""
        classifier, image = self._classifier, self._images[window % len(self._images)]
        predict, invoke = classifier.predict, classifier.invoke
        if batch == 1:
            return lambda: predict(image), invoke
        images, times = [image] * batch, -(-batch // classifier.batch)

        def invokes() -> None:
            for _ in range(times):
                invoke()

        return lambda: list(classifier.predict_batch(images)), invokes

    def started(self) -> tuple[str, Start]:
        """The engine that was taken, and how the start went."""
        return self._classifier.engine, self._start

    def window(self, number: int) -> Window:
        """Look for a while."""
        ends, engines = array("q"), array("q")
        predict, runs = self._calls(self._batch, number)
        _time(predict, SETTLE)
        before, energy, cpu, begin = look(), EnergyMeter(), time.process_time(), time.perf_counter()
        while time.perf_counter() - begin < self._method.seconds or len(ends) < self._method.calls:
            ends.extend(_time(predict, CHUNK))
            engines.extend(_time(runs, CHUNK))
            energy.sample()
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
        joules, after = energy.joules(), look()
        return Window(
            end_to_end_ns=np.array(ends, np.int64),
            engine_call_ns=np.array(engines, np.int64),
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            images=(len(ends) + len(engines)) * self._batch,
            steady_mb=memory_mb("VmRSS"),
            before=before,
            after=after,
            joules=joules,
        )

    def failures(self) -> tuple[str, ...]:
        """The rules of `check` that the model breaks on the labelled images of the setup's data."""
        if self._data is None:
            raise EdgecnnError("without data a model cannot be checked: name labelled images")
        return check(self._classifier, read_dataset(self._data, self._classifier.manifest)).failures

    def throughput(self, workers: int) -> float:
        """Images a second that `predict_batch` answers with so many workers."""
        end = time.perf_counter() + THROUGHPUT_SECONDS

        def stream() -> Any:
            while time.perf_counter() < end:
                yield from self._images

        start = time.perf_counter()
        answered = sum(1 for _ in self._classifier.predict_batch(stream(), workers))
        return answered / (time.perf_counter() - start)

    def peak_mb(self) -> float | None:
        """The most memory that the process ever had, resident."""
        return memory_mb("VmHWM")


def measure(
    setups: Sequence[Setup],
    method: Method,
    workers: Sequence[int] = (),
    leave_out: Callable[[EdgecnnError], None] | None = None,
) -> list[Measured]:
    """Measure subjects, each in a process of its own, in turns.

    Args:
        setups: what to measure.
        method: how long.
        workers: numbers of threads to measure the throughput of `predict_batch` with, where a setup has one thread
            and one image a call.
        leave_out: is told of a subject that cannot be loaded, which is then left out.

    Raises:
        EdgecnnError: a model does not load, or its engine died of it.
    """
    order, running = random.Random(0), []
    with contextlib.ExitStack() as processes:
        for setup in setups:
            progress(f"loading {setup.model.name} on {setup.engine}")
            try:
                running.append(_Running(setup, method))
            except EdgecnnError as error:
                if not leave_out:
                    raise
                leave_out(error)
            else:
                processes.callback(running[-1].process.close)
        for window in range(method.windows):
            for number, each in enumerate(order.sample(running, len(running)), 1):
                said = f"{each.setup.model.name} on {each.engine}, {number} of {len(running)}"
                progress(f"window {window + 1} of {method.windows}: {said}")
                each.windows.append(each.call(Subject.window, window))
        progress("")
        return [each.measured(workers) for each in running]


class _Running:
    """A subject in its process, and what was seen of it."""

    def __init__(self, setup: Setup, method: Method) -> None:
        self.setup, self.windows = setup, list[Window]()
        try_in_child(read_model(setup.model), setup.engine)
        self.process = ChildProcess(Subject, setup, method)
        try:
            self.engine, self.start = self.call(Subject.started)
        except EdgecnnError:
            self.process.close()
            raise

    def call(self, method: Callable[..., _R], *arguments: Any) -> _R:
        try:
            return self.process.call(method, *arguments)
        except DiedError as death:
            raise EdgecnnError(
                f"{self.setup.engine} died of {self.setup.model} ({death}): see edgecnn doctor"
            ) from None

    def measured(self, workers: Sequence[int]) -> Measured:
        rates = {
            n: self.call(Subject.throughput, n)
            for n in (workers if self.setup.threads == self.setup.batch == 1 else ())
        }
        peak = self.call(Subject.peak_mb)
        return Measured(self.setup, self.engine, self.start, tuple(self.windows), peak, rates)


def _time(call: Callable[[], object], calls: int) -> list[int]:
    """Nanoseconds of each call."""
    clock = time.perf_counter_ns
    times = []
    for _ in range(calls):
        start = clock()
        call()
        times.append(clock() - start)
    return times


def images_for(path: Path, manifest: Manifest, count: int, data: Path | None = None) -> Image:
    """Images to measure a model on: of `data`, of the evaluation split beside the model, or noise.

    Returns:
        uint8, (count or fewer, height, width, channels).
    """
    beside = data or path.with_name("evaluation.npz")
    if data or beside.exists():
        return read_dataset(beside, manifest).images[:count]
    return np.random.default_rng(0).integers(0, 256, (count, *manifest.input.shape), np.uint8)


def memory_mb(what: str = "VmRSS") -> float | None:
    """Memory of this process in MB of a million bytes: resident (VmRSS), or at most so far (VmHWM); None if untold."""
    status = Path("/proc/self/status")
    found = re.search(rf"^{what}:\s*(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    return round(int(found[1]) * 1024 / 1e6, 1) if found else None
