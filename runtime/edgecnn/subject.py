"""What is measured: a model on an engine, alone in a process, seen through windows.

A window lasts so many seconds and so many calls at least, on one image. Within it, calls end to end and calls of the
engine alone alternate.
"""

import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.check import check
from edgecnn.classifier import Classifier
from edgecnn.dataset_reading import read_dataset
from edgecnn.energy import EnergyMeter
from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from edgecnn.memory import memory_mb
from edgecnn.streams import quiet
from edgecnn.validity import Window, machine_state

THROUGHPUT_SECONDS = 1.0  # for each number of workers
CHUNK = 100  # calls of one kind, before those of the other kind
SETTLE = 20  # calls at the start of a window, not counted: another subject left its own data in the caches
Image = npt.NDArray[np.uint8]


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
        return asdict(self)


FULL = Method(windows=5, seconds=10.0, calls=1000, warm_up_seconds=1.0, comparable=True)
QUICK = Method(windows=5, seconds=0.3, calls=100, warm_up_seconds=0.1, comparable=False)


@dataclass(frozen=True)
class Setup:
    """What to measure; the images are those of `data`, of the evaluation split beside the model, or noise."""

    model: Path
    engine: str
    threads: int = 1
    batch: int = 1  # images a call
    data: Path | None = None


@dataclass(frozen=True)
class StartUp:
    """The cost of reaching the steady state."""

    load_ms: float  # from the path to a classifier, with the engine's import
    first_ms: float  # the first call
    warm_up_calls: int
    warm_up_ms: float


class Subject:
    """A model on an engine, loaded and warm in this process."""

    def __init__(self, setup: Setup, method: Method) -> None:
        begin = time.perf_counter()
        with quiet():  # engines greet on stderr
            self._classifier = Classifier(setup.model, setup.engine, setup.threads)
        loaded = time.perf_counter()
        self._method, self._batch, self._data = method, setup.batch, setup.data
        self._images = images_for(setup.model, self._classifier.manifest, max(method.windows, 1), setup.data)
        predict, invoke = self._calls(0)
        ready = time.perf_counter()
        predict()
        first = time.perf_counter()
        calls = _warm_up(predict, invoke, first + method.warm_up_seconds)
        warm = time.perf_counter()
        self._start_up = StartUp(1000 * (loaded - begin), 1000 * (first - ready), calls, 1000 * (warm - first))

    def _calls(self, window: int) -> tuple[Callable[[], object], Callable[[], object]]:
        """A call end to end on the window's image, and the engine's part of it."""
        classifier, image = self._classifier, self._images[window % len(self._images)]
        predict, invoke = classifier.predict, classifier.invoke
        if self._batch == 1:
            return lambda: predict(image), invoke
        images, times = [image] * self._batch, -(-self._batch // classifier.batch)

        def invoke_all() -> None:
            for _ in range(times):
                invoke()

        return lambda: list(classifier.predict_batch(images)), invoke_all

    def start_up(self) -> tuple[str, StartUp]:
        """The engine's name, and the cost of its start."""
        return self._classifier.engine, self._start_up

    def window(self, number: int) -> Window:
        """Time calls for a while."""
        ends, engines = array("q"), array("q")
        predict, invoke = self._calls(number)
        _time(predict, SETTLE)
        before, energy, cpu, begin = machine_state(), EnergyMeter(), time.process_time(), time.perf_counter()
        while time.perf_counter() - begin < self._method.seconds or len(ends) < self._method.calls:
            ends.extend(_time(predict, CHUNK))
            engines.extend(_time(invoke, CHUNK))
            energy.sample()
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu
        joules, after = energy.joules(), machine_state()
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
        """Images a second that `predict_batch` classifies with so many workers."""
        end = time.perf_counter() + THROUGHPUT_SECONDS

        def stream() -> Iterator[Image]:
            while time.perf_counter() < end:
                yield from self._images

        start = time.perf_counter()
        images = sum(1 for _ in self._classifier.predict_batch(stream(), workers))
        return images / (time.perf_counter() - start)

    def peak_mb(self) -> float | None:
        """The most memory that the process ever had, resident."""
        return memory_mb("VmHWM")


def _warm_up(predict: Callable[[], object], invoke: Callable[[], object], end: float) -> int:
    """Call until a moment of `time.perf_counter`; the number of calls of each kind."""
    calls = 0
    while time.perf_counter() < end:
        _time(predict, CHUNK)
        _time(invoke, CHUNK)
        calls += CHUNK
    return calls


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
        return read_dataset(beside, manifest).sample(count).images
    return np.random.default_rng(0).integers(0, 256, (count, *manifest.input.shape), np.uint8)
