"""The measuring core: what a call costs, each call timed by itself, contestants in turn.

A latency is a distribution. Warm-up calls are kept apart; then the contestants take turns in rounds, in an order that
is shuffled each round, so that a drift of the machine's speed meets all of them alike.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

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
