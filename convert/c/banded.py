"""Two steps over a band of rows at a time, so that the value between them is never whole.

The second reads the rows that the first gives and no others, as pointwise convolutions and sums do. The band lies in
the arena while the step runs. Where that makes the arena smaller two steps become one, and nowhere else: each band
costs the first step another beginning.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import gcd
from typing import ClassVar

from convert.c.arena import live_bytes
from convert.c.plan import Plan
from convert.c.step import Reach, Share, Step, Value

BAND = 4096  # bytes, unless one row takes more
WORTH = 7 / 8  # of the arena, at most, for what bands cost


@dataclass(frozen=True, kw_only=True)
class Banded(Step):
    """Two steps; the output of the first is the band, which the second reads."""

    kernel: ClassVar[str] = ""
    both: tuple[Step, Step]
    units: int  # of rows that both steps can compute by themselves
    at_once: int  # units of a band

    @property
    def parts(self) -> tuple[Step, ...]:
        """Both steps."""
        return self.both

    @property
    def band(self) -> Value:
        """What the first step gives."""
        return self.both[0].output

    @property
    def band_bytes(self) -> int:
        """Bytes of the rows that are there at a time."""
        return self.band.size // self.units * self.at_once

    @property
    def temporaries(self) -> Sequence[Value]:
        """The band."""
        return (self.band,)

    def constants(self) -> Iterator[str]:
        """C of the constants of both."""
        for part in self.both:
            yield from part.constants()

    def share(self, *functions: str) -> Share:
        """Rows, a band at a time."""
        lines, reads = [], []
        for part, function in zip(self.both, functions or ("", ""), strict=True):
            if share := part.share(function):
                times = share.units // self.units
                lines += ["{", f"    const int first = row * {times}, last = stop * {times};"]
                lines += [*_indented(share.lines), "}"]
                own = zip(part.inputs, share.reads, strict=True)
                wanted = [reach for value, reach in own if value.buffer is not self.band.buffer]
                reads += [Reach(reach.step * times, reach.before, reach.behind) for reach in wanted]
        loop = f"for (int row = first; row < last; row += {self.at_once}) {{"
        bound = f"const int stop = row + {self.at_once} < last ? row + {self.at_once} : last;"
        unit = self.output.size // self.units
        return Share(self.units, unit, tuple(reads), [loop, *_indented([bound, *lines]), "}"])

    def overwritable(self) -> Sequence[Value]:
        """What the second step may write over, unless the first reads it for a later band."""
        read = [value.buffer for value in self.both[0].inputs]
        return [value for value in self.both[1].overwritable() if not value.is_band and value.buffer not in read]

    @property
    def constant_bytes(self) -> int:
        """Bytes of weights, biases and tables."""
        return sum(part.constant_bytes for part in self.both)

    @property
    def products(self) -> int:
        """Multiply-accumulates."""
        return sum(part.products for part in self.both)

    def scratch_bytes(self, macro: str) -> int:
        """Bytes for the one that wants more."""
        return max(part.scratch_bytes(macro) for part in self.both)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def band_where_it_profits(plan: Plan) -> None:
    """Make one of two steps where most bytes live at the same time, as long as these become fewer by an eighth."""
    while True:
        live = live_bytes(plan.input, plan.steps, plan.output)
        pairs = _pairs(plan, live)
        steps = _joined(plan.steps, pairs)
        for pair in pairs:
            pair.band.buffer.size = pair.band_bytes
        if max(live_bytes(plan.input, steps, plan.output)) > WORTH * max(live):
            break
        plan.steps = steps
    for pair in pairs:
        pair.band.buffer.size = pair.band.size


def _pairs(plan: Plan, live: Sequence[int]) -> list[Banded]:
    """Steps at the peak with those behind them, no step twice."""
    pairs: list[Banded] = []
    for number, (first, second) in enumerate(pairwise(plan.steps)):
        is_free = not pairs or pairs[-1].both[1] is not first
        if is_free and max(live[number : number + 2]) == max(live) and (pair := _pair(plan, first, second)):
            pairs.append(pair)
    return pairs


def _joined(steps: Sequence[Step], pairs: Sequence[Banded]) -> list[Step]:
    """The steps, pairs in the place of their second."""
    places = {id(pair.both[1]): pair for pair in pairs}
    gone = {id(pair.both[0]) for pair in pairs}
    return [places.get(id(step), step) for step in steps if id(step) not in gone]


def _pair(plan: Plan, first: Step, second: Step) -> Banded | None:
    """Two steps as one, if the second alone reads the first's output, and of it the rows that the first gives."""
    band, shares = first.output, (first.share(), second.share())
    readers = [step for step in plan.steps if any(value.buffer is band.buffer for value in step.inputs)]
    is_plain = len(first.parts) == len(second.parts) == 1 and band.buffer is not plan.output.buffer
    if not (is_plain and len(readers) == 1 and readers[0] is second and shares[0] and shares[1]):
        return None
    units = gcd(shares[0].units, shares[1].units)
    reads = [reach for value, reach in zip(second.inputs, shares[1].reads, strict=True) if value.buffer is band.buffer]
    at_once = max(1, BAND * units // band.size)
    if reads != [Reach(band.size // shares[1].units)] or band.size % shares[1].units or units < 2 * at_once:
        return None
    inputs = (*first.inputs, *(value for value in second.inputs if value.buffer is not band.buffer))
    both = (first, second)
    return Banded(name=second.name, inputs=inputs, output=second.output, both=both, units=units, at_once=at_once)
