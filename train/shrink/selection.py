"""Which channels stay within a budget: the least important go first, for what they cost; or all layers alike.

Channels go by eights, since kernels compute so many at once: first until each family has eight, then, if the budget
still asks for less, one by one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np

from edgecnn.errors import EdgecnnError
from train.shrink.graph import Graph, Kept, Units
from train.shrink.importance import Importance
from train.shrink.limits import Limits
from train.shrink.options import METHODS
from train.shrink.search import Tried, largest

STEP = 8  # channels
_WIDTHS = 512  # factors of the width that are tried

Choose = Callable[[Graph, Importance, Mapping[str, float]], Kept]


def costs(graph: Graph, kept: Kept) -> dict[str, float]:
    """What the network takes with the units that are kept, as far as it can be counted."""
    return {"macs": graph.macs(kept), "params": graph.parameters(kept)}


def excess(graph: Graph, kept: Kept, limits: Mapping[str, float]) -> float:
    """By how much the limits are exceeded, as shares of them, summed up; 0 where all are met."""
    taken = costs(graph, kept)
    return sum(max(0.0, taken[name] / most - 1) for name, most in limits.items())


def pruned(graph: Graph, importance: Importance, limits: Mapping[str, float]) -> Kept:
    """The units that are kept within limits: the least important for their cost are removed.

    Raises:
        EdgecnnError: even one channel in each layer takes more.
    """
    *earlier_ones, kept = list(path(graph, importance, limits))
    for earlier, later in reversed(list(pairwise([*earlier_ones, kept]))):
        again = kept | (earlier & ~later)  # steps that were taken before another one that saves more
        if excess(graph, again, limits) == 0:
            kept = again
    return kept


def path(graph: Graph, importance: Importance, limits: Mapping[str, float]) -> Iterator[Kept]:
    """The units that are kept after each step, the whole network first, until the limits are met.

    Raises:
        EdgecnnError: even one channel in each layer takes more.
    """
    kept = graph.all
    yield kept
    while excess(graph, kept, limits) > 0:
        steps = _steps(graph, importance, kept, STEP) or _steps(graph, importance, kept, 1)
        if not steps:
            smallest = " and ".join(f"{name}={count:,.0f}" for name, count in costs(graph, kept).items())
            raise EdgecnnError(f"--budget: the smallest network that could be made takes {smallest}: a larger budget")
        kept = kept.copy()
        kept[min(steps, key=lambda units: _price(graph, importance, kept, units, limits))] = False
        yield kept


def _steps(graph: Graph, importance: Importance, kept: Kept, size: int) -> list[Units]:
    """For each family its least important units: as many as leave a multiple of `size`."""
    steps = []
    for family in graph.families:
        units = family[kept[family]]
        if len(units) > size:
            order = units[np.argsort(importance[units], kind="stable")]
            steps.append(order[: (len(units) - 1) % size + 1])
    return steps


def _price(graph: Graph, importance: Importance, kept: Kept, units: Units, limits: Mapping[str, float]) -> float:
    """The importance of units for what they cost."""
    without = kept.copy()
    without[units] = False
    saved = excess(graph, kept, limits) - excess(graph, without, limits)
    return float(importance[units].sum() / max(saved, 1e-12))


def check_budgets(graph: Graph, budgets: Sequence[Mapping[str, float]]) -> None:
    """Refuse, before hours of work, limits that no network meets.

    Raises:
        EdgecnnError: one channel in each layer takes more; the line says how much.
    """
    for limits in budgets:
        list(path(graph, np.zeros(len(graph.fixed)), limits))


def uniform(graph: Graph, importance: Importance, limits: Mapping[str, float]) -> Kept:
    """The units of a network whose layers are all narrower by one factor, the largest within limits.

    Raises:
        EdgecnnError: even one channel in each layer takes more.
    """
    for part in range(_WIDTHS, -1, -1):
        kept = graph.all
        for family in graph.families:
            kept[family[max(1, round(len(family) * part / _WIDTHS)) :]] = False
        if excess(graph, kept, limits) == 0:
            return kept
    check_budgets(graph, [limits])  # says what the smallest takes
    return kept


def within(
    graph: Graph, importance: Importance, limits: Limits, choose: Choose, measure: Callable[[Kept], dict[str, float]]
) -> Kept:
    """The largest network within limits: those that are counted, then those that only a conversion tells.

    Raises:
        EdgecnnError: there is none; the line names the smallest.
    """
    kept = choose(graph, importance, limits.counted)
    if not limits.measured:
        return kept
    figures: dict[float, dict[str, float]] = {}  # by multiply-accumulates: networks come again

    def tried(kept: Kept) -> Tried[Kept]:
        macs = float(graph.macs(kept))
        if macs not in figures:
            figures[macs] = measure(kept)
        return Tried(kept, macs, max(figures[macs][name] / most for name, most in limits.measured.items()))

    def attempt(macs: float) -> Tried[Kept] | None:
        try:
            return tried(choose(graph, importance, {**limits.counted, "macs": macs}))
        except EdgecnnError:
            return None

    best = largest(tried(kept), attempt)
    best = best if best.share <= 1 else tried(_smallest(graph))
    if best.share > 1:
        taken = " and ".join(f"{name}={figures[best.macs][name]:,.0f}" for name in limits.measured)
        raise EdgecnnError(f"--budget: the smallest network that could be made takes {taken}: a larger budget")
    return best.network


def _smallest(graph: Graph) -> Kept:
    """One unit of each family."""
    kept = graph.all
    for family in graph.families:
        kept[family[1:]] = False
    return kept


CHOICES: dict[str, Choose] = dict(zip(METHODS, (pruned, uniform), strict=True))
