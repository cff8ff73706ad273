"""Where in the arena each value lies."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from convert.c.step import Buffer, Step, Value

ALIGNMENT = 16  # bytes
_SLACK = 15  # bytes that kernels read beyond a value: up to sixteen at a time
_ROUNDS = 50  # orders to try, of each kind


@dataclass
class _Lifetime:
    """Buffers in one place, from the step that writes the first to the last that reads one of them."""

    buffers: list[Buffer]
    first: int
    last: int
    offset: int = 0

    @property
    def size(self) -> int:
        return self.buffers[0].size

    @property
    def steps(self) -> int:
        return self.last - self.first + 1

    @property
    def room(self) -> int:
        return -(-(self.size + _SLACK) // ALIGNMENT) * ALIGNMENT

    @property
    def end(self) -> int:
        return self.offset + self.room

    def meets(self, other: "_Lifetime") -> bool:
        return other.first <= self.last and self.first <= other.last


def allocate(first: Value, steps: Sequence[Step], last: Value) -> tuple[int, int]:
    """Give each buffer its offset, so that none overlaps another that lives at the same time.

    Outputs take the place of inputs that their step reads as the last one, where its kernel allows that. Orders of
    placing are tried until the arena is as small as can be.

    Args:
        first: the network's input, which lives from the beginning.
        steps: in their order.
        last: the network's output, which lives to the end.

    Returns:
        The bytes of the arena; and the least, those of all values that live at the same time.
    """
    lifetimes, least = _lifetimes(first, steps, last), max(live_bytes(first, steps, last))
    arenas = []
    for order in _orders(lifetimes):
        _place(order)
        arenas.append((max(lifetime.end for lifetime in order), order))
        if arenas[-1][0] == least:
            break
    arena, order = min(arenas, key=lambda pair: pair[0])
    _place(order)
    for lifetime in lifetimes:
        for buffer in lifetime.buffers:
            buffer.offset = lifetime.offset
    return arena, least


def live_bytes(first: Value, steps: Sequence[Step], last: Value) -> list[int]:
    """The bytes of all values that live during each step, and at the end."""
    lifetimes = _lifetimes(first, steps, last)
    return [sum(life.room for life in lifetimes if life.first <= now <= life.last) for now in range(len(steps) + 1)]


def _orders(lifetimes: Sequence[_Lifetime]) -> Iterator[list[_Lifetime]]:
    """Orders in which to place: the largest or the longest-lived first, then again and again what lay highest."""
    for weight in (lambda lifetime: lifetime.size, lambda lifetime: lifetime.size * lifetime.steps):
        order = sorted(lifetimes, key=weight, reverse=True)
        for _ in range(_ROUNDS):
            yield order
            highest = max(order, key=lambda lifetime: lifetime.end)
            order = [highest, *(lifetime for lifetime in order if lifetime is not highest)]


def _place(order: Sequence[_Lifetime]) -> None:
    """Place one after the other, each as low as those before it let it."""
    for number, lifetime in enumerate(order):
        lifetime.offset = 0
        neighbours = [other for other in order[:number] if lifetime.meets(other)]
        for other in sorted(neighbours, key=lambda other: other.offset):
            if lifetime.end <= other.offset:
                break
            lifetime.offset = max(lifetime.offset, other.end)


def _lifetimes(first: Value, steps: Sequence[Step], last: Value) -> list[_Lifetime]:
    last_steps = {id(value.buffer): number for number, step in enumerate(steps) for value in step.inputs}
    last_steps[id(last.buffer)] = len(steps)
    lifetimes = {id(first.buffer): _Lifetime([first.buffer], 0, 0)}
    for number, step in enumerate(steps):
        output = step.output.buffer
        over = [value.buffer for value in step.overwritable() if last_steps[id(value.buffer)] == number]
        over = [buffer for buffer in over if buffer.size == output.size]
        if over and id(output) not in lifetimes:
            lifetimes[id(output)] = lifetimes[id(over[0])]
            lifetimes[id(output)].buffers.append(output)
        for value in (*step.inputs, step.output, *step.temporaries):
            lifetimes.setdefault(id(value.buffer), _Lifetime([value.buffer], number, number)).last = number
    lifetimes[id(last.buffer)].last = len(steps)
    return list({id(lifetime): lifetime for lifetime in lifetimes.values()}.values())
