"""The measuring core: the cost of a call, as a distribution, after the rules of MLPerf Tiny and pyperf.

Every subject (a model on an engine) lives in a process of its own. Loading, the first call, the warm-up and the steady
state are measured apart; the steady state through windows, each on one real image. Between two windows the subjects
take turns in a shuffled order, so that a drift of the machine's speed meets all alike. Sources:
C. Banbury et al. (2021), "MLPerf Tiny Benchmark"; V. Stinner, pyperf.
"""

import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from edgecnn.child_process import ChildProcess, DiedError
from edgecnn.command import progress
from edgecnn.errors import EdgecnnError
from edgecnn.model_opening import try_in_child
from edgecnn.modelfile import read_model
from edgecnn.subject import Method, Setup, StartUp, Subject
from edgecnn.validity import Window

_R = TypeVar("_R")


@dataclass(frozen=True)
class Measurement:
    """A subject, measured."""

    setup: Setup
    engine: str
    start_up: StartUp
    windows: tuple[Window, ...]
    peak_mb: float | None
    per_second: dict[int, float]  # images, by the number of workers of `predict_batch`


def measure(
    setups: Sequence[Setup],
    method: Method,
    workers: Sequence[int] = (),
    leave_out: Callable[[EdgecnnError], None] | None = None,
) -> list[Measurement]:
    """Measure subjects, each in a process of its own, in turns.

    Args:
        setups: what to measure.
        method: how long.
        workers: numbers of threads to measure the throughput of `predict_batch` with, if a setup has one thread and
            one image a call.
        leave_out: called with the reason for each subject that does not load; the others are measured. Without it
            the reason is raised.

    Raises:
        EdgecnnError: a model does not load, or kills its engine.
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
            for number, subject in enumerate(order.sample(running, len(running)), 1):
                turn = f"{subject.setup.model.name} on {subject.engine}, {number} of {len(running)}"
                progress(f"window {window + 1} of {method.windows}: {turn}")
                subject.windows.append(subject.call(Subject.window, window))
        progress("")
        return [subject.measurement(workers) for subject in running]


class _Running:
    """A subject in its process, and its windows so far."""

    def __init__(self, setup: Setup, method: Method) -> None:
        self.setup, self.windows = setup, list[Window]()
        try_in_child(read_model(setup.model), setup.engine)
        self.process = ChildProcess(Subject, setup, method)
        try:
            self.engine, self.start_up = self.call(Subject.start_up)
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

    def measurement(self, workers: Sequence[int]) -> Measurement:
        counts = workers if self.setup.threads == self.setup.batch == 1 else ()
        rates = {count: self.call(Subject.throughput, count) for count in counts}
        peak = self.call(Subject.peak_mb)
        return Measurement(self.setup, self.engine, self.start_up, tuple(self.windows), peak, rates)
