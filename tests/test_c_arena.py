"""Values of C share an arena: none is overwritten before its last reader, and no room is wasted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from convert.c.arena import ALIGNMENT, allocate
from convert.c.step import Buffer, Step, Value


@dataclass(frozen=True, kw_only=True)
class Apart(Step):
    """A step whose output must lie beside its inputs."""

    kernel = "apart"


@dataclass(frozen=True, kw_only=True)
class InPlace(Step):
    """A step whose output may lie over an input."""

    kernel = "in_place"

    def overwritable(self) -> Sequence[Value]:
        return self.inputs


def value(size: int) -> Value:
    return Value(Buffer(size), 1, 1, size)


def step(kind: type[Step], inputs: Sequence[Value], size: int) -> Step:
    return kind(name="step", inputs=tuple(inputs), output=value(size))


def network(random: np.random.Generator) -> tuple[Value, list[Step]]:
    """Steps that each read one or two of the values before them."""
    sizes = [1, 9, 16, 100, 250]
    values, steps = [value(int(random.choice(sizes)))], []
    for _ in range(random.integers(1, 13)):
        inputs = [values[place] for place in random.integers(len(values), size=random.integers(1, 3))]
        is_in_place = random.random() < 0.5
        size = inputs[0].size if is_in_place else int(random.choice(sizes))
        steps.append(step(InPlace if is_in_place else Apart, inputs, size))
        values.append(steps[-1].output)
    return values[0], steps


@pytest.mark.parametrize("seed", range(20))
def test_no_value_is_overwritten_before_its_last_reader(seed: int) -> None:
    """Run with numbers of steps in the place of values."""
    random = np.random.default_rng(seed)
    for _ in range(20):
        check_network(*network(random))


def check_network(first: Value, steps: list[Step]) -> None:
    arena, least = allocate(first, steps, steps[-1].output)
    memory, writers = [-1] * arena, {id(first.buffer): 0}

    def place(one: Value) -> slice:
        return slice(one.buffer.offset, one.buffer.offset + one.size)

    def check(one: Value) -> None:
        assert memory[place(one)] == [writers[id(one.buffer)]] * one.size

    memory[place(first)] = [0] * first.size
    for number, current in enumerate(steps, 1):
        for one in current.inputs:
            check(one)
        if isinstance(current, Apart):
            over = range(*place(current.output).indices(arena))
            assert not any(set(over) & set(range(*place(one).indices(arena))) for one in current.inputs)
        memory[place(current.output)] = [number] * current.output.size
        writers[id(current.output.buffer)] = number
    check(steps[-1].output)
    assert arena >= least
    assert all(one.buffer.offset % ALIGNMENT == 0 for one in (first, *(current.output for current in steps)))


def test_blocks_of_a_residual_network_waste_nothing() -> None:
    """Placed by size alone, they take a third more than what lives at the same time."""
    first = value(16_384)
    padded = step(Apart, [first], 18_496)
    convolved = step(Apart, [padded.output], 16_384)
    padded_again = step(Apart, [convolved.output], 18_496)
    convolved_again = step(Apart, [padded_again.output], 16_384)
    total = step(InPlace, [first, convolved_again.output], 16_384)
    steps = [padded, convolved, padded_again, convolved_again, total]
    arena, least = allocate(first, steps, total.output)
    assert arena == least == 51_312
    assert total.output.buffer.offset == first.buffer.offset
