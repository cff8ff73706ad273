"""A model on an engine with a number of threads, in a process of its own: its calls, timed for a while at a time."""

import ctypes
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.library import Library, library_of
from benchmarks.peak import compiled
from benchmarks.suite.build import HOME, OURS, key, once
from benchmarks.suite.older_cpu import make_older
from edgecnn.classifier import Classifier
from edgecnn.command import quiet

_SOURCE = Path(__file__).with_name("calls.c")
_SETTLE, _LEAST = 5, 5  # calls at the start of a turn that are not counted, and the fewest that are


@dataclass(frozen=True)
class Turn:
    """The medians of one turn, in microseconds."""

    call_us: float  # the engine's call; of a library of ours, with one thread, called from C
    predict_us: float  # raw pixels to a label, from Python


class TimedEngine:
    """A model, loaded by an engine in this process.

    Args:
        model: the file.
        engine: its name.
        threads: for one inference.
        cores: that this process may use.
        older: whether the engine shall see a CPU with AVX2 and nothing newer.
    """

    def __init__(self, model: Path, engine: str, threads: int, cores: Sequence[int], older: bool = False) -> None:
        os.sched_setaffinity(0, cores)
        if older:
            make_older(engine, model)
        with quiet():  # engines greet on stderr
            classifier = Classifier(model, engine, threads)
        image = np.random.default_rng(0).integers(0, 256, classifier.manifest.input.shape, np.uint8)
        classifier.predict(image)
        self._predict = partial(classifier.predict, image)
        self._invoke = classifier.invoke
        # The library has one function for all numbers of threads, which the engine knows how to set.
        self._in_c = _InC(library_of(model), classifier) if engine == OURS and threads == 1 else None

    def turn(self, seconds: float) -> Turn:
        """Time calls for so many seconds of each kind, `_LEAST` at least."""
        call = self._in_c.median(seconds) if self._in_c else _median(self._invoke, seconds)
        return Turn(call, _median(self._predict, seconds))


def _median(call: Callable[[], object], seconds: float) -> float:
    """Microseconds of a call, the median."""
    clock, times = time.perf_counter_ns, list[int]()
    for _ in range(_SETTLE):
        call()
    end = clock() + int(1e9 * seconds)
    while clock() < end or len(times) < _LEAST:
        start = clock()
        call()
        times.append(clock() - start)
    return float(np.median(times)) / 1000


class _InC:
    """Calls of a library's function by a loop in C (calls.c): without what Python takes for a call."""

    def __init__(self, library: Library, classifier: Classifier) -> None:
        harness = ctypes.CDLL(str(_harness()))
        self._run = getattr(ctypes.CDLL(str(library.path)), f"{library.symbol}_run")
        self._time = harness.time_calls
        self._time.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_int, ctypes.c_void_p]
        self._time.restype = None
        shape = classifier.manifest.input.shape
        self._input = np.random.default_rng(0).integers(-128, 128, shape, np.int8)
        self._output = np.zeros(len(classifier.manifest.labels), np.int8)

    def median(self, seconds: float) -> float:
        """Microseconds of a call, the median of so many seconds."""
        settled = float(np.median(self._times(_SETTLE)))
        calls = max(_LEAST, int(1e6 * seconds / max(settled, 0.01)))
        return float(np.median(self._times(calls)))

    def _times(self, calls: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        times = np.zeros(calls)
        ends = (self._input.ctypes.data, self._output.ctypes.data)
        self._time(ctypes.cast(self._run, ctypes.c_void_p), *ends, calls, times.ctypes.data)
        return times


def _harness() -> Path:
    """The loop in C, compiled once for this machine."""
    name = "calls.so"

    def fill(folder: Path) -> None:
        compiled(folder / name, _SOURCE, "-shared", "-fPIC")

    return once(HOME / f"calls-{key([_SOURCE])}", fill) / name
