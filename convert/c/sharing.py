"""How workers share a call: which part of a step each computes, and what they copy from one another.

Each worker has an arena of its own and computes the same part of step after step: rows. Rows that a step reads and
another worker computed are copied before; only there workers wait for one another. What threads cannot share, worker 0
computes. So lines of a CPU's cache seldom go from one CPU to another, and steps that read no rows of others, such as
pointwise convolutions and sums, follow without a meeting.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from convert.c.plan import Plan
from convert.c.step import Buffer, Reach, Share, Step, Value

SHARED_WORK = 20_000  # multiply-accumulates, at least, of steps that threads share


@dataclass(frozen=True)
class Pieces:
    """A value in pieces, which workers have computed."""

    value: Value
    count: int
    size: int  # bytes, of the last one perhaps fewer

    def overlaps(self, other: Value) -> bool:
        """Whether another value lies where this one lay."""
        ours, theirs = self.value.buffer, other.buffer
        return ours.offset < theirs.offset + theirs.size and theirs.offset < ours.offset + ours.size


@dataclass(frozen=True)
class Turn:
    """A step, in as many parts as workers can have; before it what they wait for and copy."""

    step: Step
    parts: int
    times: int  # units of the step, in each part
    before: Sequence[str]  # lines of C


def turns(plan: Plan) -> Iterator[Turn]:
    """The steps of a plan, whose values have their places, as workers share them; worker 0 has the input."""
    pieces: dict[Buffer, Pieces] = {plan.input.buffer: Pieces(plan.input, 1, plan.input.size)}
    unmet: set[Buffer] = set()  # what was computed since the last meeting
    copied: list[Pieces] = []  # what others may still copy
    for step, parts in zip(plan.steps, _parts(plan.steps), strict=True):
        share = _share(step)
        wanted = _wanted(step, share, parts, pieces)
        before = []
        if not unmet.isdisjoint(piece.value.buffer for piece, _ in wanted):
            before.append("meet(worker, workers);")
            unmet, copied = set(), []
        before += [_copy(piece, reach, parts) for piece, reach in wanted]
        before += ["arrive(worker);"] if wanted else []
        copied += [piece for piece, _ in wanted]
        if any(piece.overlaps(value) for piece in copied for value in (step.output, *step.temporaries)):
            before.append("wait_for_all(worker, workers);")
            copied = []
        yield Turn(step, parts, share.units // parts, before)
        pieces[step.output.buffer] = Pieces(step.output, parts, share.unit * share.units // parts)
        unmet.add(step.output.buffer)


def _share(step: Step) -> Share:
    """How threads share a step; of one that they do not share, all is one unit."""
    reads = tuple(Reach(0, behind=value.size) for value in step.inputs)
    return step.share() or Share(1, step.output.size, reads, ())


def _parts(steps: Sequence[Step]) -> list[int]:
    """In how many parts each step is: the same for those that read no rows of others. Worker 0 gives the answer."""
    parts: list[int] = []
    while len(parts) < len(steps):
        run = _run(steps[len(parts) :])
        common = gcd(*(_share(step).units for step in run))
        is_worth = sum(step.work for step in run) >= SHARED_WORK
        parts += [common if is_worth else 1] * len(run)
    return [*parts[:-1], 1]


def _run(steps: Sequence[Step]) -> list[Step]:
    """The first step and those behind it that read the same rows as they give, in parts for two workers and more."""
    run, units = [steps[0]], _share(steps[0]).units
    for step in steps[1:]:
        share = _share(step)
        units = gcd(units, share.units)
        if units == 1 or not all(map(_is_own, step.inputs, share.reads, [share.units] * len(share.reads))):
            break
        run.append(step)
    return run


def _is_own(value: Value, reach: Reach, units: int) -> bool:
    """Whether units of an output read the same part of an input."""
    return reach == Reach(value.size // units) and value.size % units == 0


def _wanted(step: Step, share: Share, parts: int, pieces: Mapping[Buffer, Pieces]) -> list[tuple[Pieces, Reach]]:
    """What workers lack of a step's inputs, and what of it they read for one of the parts."""
    times, wanted = share.units // parts, []
    for value, reach in zip(step.inputs, share.reads, strict=True):
        piece, part = pieces[value.buffer], Reach(reach.step * times, reach.before, reach.behind)
        is_all_there = piece.count == parts and (parts == 1 or part == Reach(piece.size))
        wanted += [] if is_all_there else [(piece, part)]
    return wanted


def _copy(piece: Pieces, reach: Reach, parts: int) -> str:
    """C that copies what a worker lacks of a value, to compute its parts of an output."""
    value = piece.value.buffer
    pieces, reads = (value.offset, value.size, piece.size, piece.count), (parts, reach.step, reach.before, reach.behind)
    return f"copy((struct pieces){{{_words(pieces)}}}, (struct reads){{{_words(reads)}}}, worker, workers);"


def _words(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, numbers))
