"""Where in the arena each value lies."""

from collections.abc import Sequence
from dataclasses import dataclass

from convert.c.step import Buffer, Step, Value

ALIGNMENT = 16  # bytes
_SLACK = 7  # bytes that kernels read beyond a value: up to eight at a time


@dataclass
class _Lifetime:
    """A buffer from the step that writes it to the last that reads it."""

    buffer: Buffer
    first: int
    last: int

    @property
    def room(self) -> int:
        return -(-(self.buffer.size + _SLACK) // ALIGNMENT) * ALIGNMENT


def allocate(first: Value, steps: Sequence[Step], last: Value) -> int:
    """Give each buffer its offset, so that none overlaps another that lives at the same time; the largest first.

    Args:
        first: the network's input, which lives from the beginning.
        steps: in their order.
        last: the network's output, which lives to the end.

    Returns:
        The bytes of the arena.
    """
    placed: list[_Lifetime] = []
    for lifetime in sorted(_lifetimes(first, steps, last), key=lambda lifetime: -lifetime.buffer.size):
        others = [other for other in placed if other.first <= lifetime.last and lifetime.first <= other.last]
        offset = 0
        for other in sorted(others, key=lambda other: other.buffer.offset):
            if offset + lifetime.room <= other.buffer.offset:
                break
            offset = max(offset, other.buffer.offset + other.room)
        lifetime.buffer.offset = offset
        placed.append(lifetime)
    return max(lifetime.buffer.offset + lifetime.room for lifetime in placed)


def _lifetimes(first: Value, steps: Sequence[Step], last: Value) -> list[_Lifetime]:
    lifetimes = {id(first.buffer): _Lifetime(first.buffer, 0, 0)}
    for number, step in enumerate(steps):
        for value in (*step.inputs, step.output):
            lifetime = lifetimes.setdefault(id(value.buffer), _Lifetime(value.buffer, number, number))
            lifetime.last = number
    lifetimes[id(last.buffer)].last = len(steps)
    return list(lifetimes.values())
