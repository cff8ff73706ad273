"""The contestants of benchmarks.peers: each script of benchmarks.scripts in a process of its own, timed in turns."""

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks import scripts
from benchmarks.turns import in_turns
from edgecnn.child_process import ChildProcess, DiedError
from edgecnn.command import progress, quiet
from edgecnn.dataset_reading import read_answered
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import read_model

CALLS, SETTLE = 40, 5  # of a turn; those before them that are not counted
ACCURACY_IMAGES, _KERAS_IMAGES = 1000, 100  # Keras takes milliseconds for each


@dataclass(frozen=True)
class ContestTimes:
    """The times and accuracies of a contest, by contestant."""

    times: dict[str, npt.NDArray[np.float64]]  # microseconds, (turns, calls)
    accuracies: dict[str, float | None]  # None for a call without an answer
    missing: dict[str, str]  # why it did not take part


class Contestant:
    """A script in this process.

    Args:
        name: of the script.
        folder: of the model and the images.
        files: the folder of the exports.
        core: to pin the process to.

    Raises:
        EdgecnnError: its engine is not installed, or refuses the file.
    """

    def __init__(self, name: str, folder: Path, files: Path, core: int) -> None:
        os.sched_setaffinity(0, {core})
        data = read_answered(folder / "evaluation.npz", read_model(folder / "model.keras").manifest)
        data = data.sample(_KERAS_IMAGES if name.startswith("keras") else ACCURACY_IMAGES)
        self._images = data.images
        try:
            with quiet():
                self._classify = getattr(scripts, name)(files)
                self._answers = [self._classify(image) for image in self._images]
        except Exception as error:  # engines raise whatever they like
            raise EdgecnnError(" ".join(str(error).split())[:200]) from None
        self._labels = np.asarray(data.labels)
        self._next = 0

    def accuracy(self) -> float | None:
        """The share of right answers; None for a call without an answer."""
        return None if -1 in self._answers else float(np.mean(np.array(self._answers) == self._labels))

    def turn(self, calls: int) -> list[float]:
        """Microseconds of so many calls, on one image after the other."""
        clock, times = time.perf_counter_ns, []
        for number in range(SETTLE + calls):
            image = self._images[(self._next + number) % len(self._images)]
            start = clock()
            self._classify(image)
            times.append((clock() - start) / 1000)
        self._next += calls
        return times[SETTLE:]


def contest(names: Sequence[str], folder: Path, files: Path, turns: int, core: int) -> ContestTimes:
    """Start contestants, and time them in turns."""
    processes: dict[str, ChildProcess[Contestant]] = {}
    accuracies: dict[str, float | None] = {}
    missing: dict[str, str] = {}
    with contextlib.ExitStack() as started:
        for name in names:
            progress(f"starting {name}")
            process = ChildProcess(Contestant, name, folder, files, core)
            started.callback(process.close)
            try:
                accuracies[name] = process.call(Contestant.accuracy)
                processes[name] = process
            except (EdgecnnError, DiedError) as error:
                missing[name] = str(error)
        times = in_turns(processes, turns, Contestant.turn, CALLS)
    return ContestTimes({name: np.array(rows) for name, rows in times.items()}, accuracies, missing)
