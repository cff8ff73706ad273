"""Contestants take turns in random order, each in a process of its own: a drift of the machine's speed meets all."""

import random
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from edgecnn.child_process import ChildProcess
from edgecnn.command import progress

_RESAMPLES = 2000
Times = npt.NDArray[np.float64]  # microseconds
_T = TypeVar("_T")
_R = TypeVar("_R")


def in_turns(
    processes: Mapping[str, ChildProcess[_T]], turns: int, method: Callable[..., _R], *arguments: Any
) -> dict[str, list[_R]]:
    """Call a method of each contestant once a turn.

    Args:
        processes: the contestants by name.
        turns: how many.
        method: of the contestants' class.
        arguments: of the method.

    Returns:
        By name, what the method gives in each turn.
    """
    answers: dict[str, list[_R]] = {name: [] for name in processes}
    order = random.Random(0)
    for turn in range(turns):
        for name in order.sample(list(processes), len(processes)):
            progress(f"turn {turn + 1} of {turns}: {name}")
            answers[name].append(processes[name].call(method, *arguments))
    progress("")
    return answers


def ratio(ours: Times, theirs: Times) -> tuple[float, float, float]:
    """The ratio of two medians with its 95 % interval, by bootstrap over the turns.

    Args:
        ours: (turns,) or (turns, calls).
        theirs: the same, of the same turns.

    Returns:
        The ratio, the interval's lower end and its upper end; turns are drawn with replacement, the same for both.
    """
    draws = np.random.default_rng(0).integers(0, len(ours), (_RESAMPLES, len(ours)))
    resampled = [float(np.median(ours[draw]) / np.median(theirs[draw])) for draw in draws]
    low, high = np.percentile(resampled, (2.5, 97.5))
    return float(np.median(ours) / np.median(theirs)), float(low), float(high)
