"""Values of C share an arena: none is overwritten before its last reader, and no room is wasted."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from convert.c.arena import ALIGNMENT, allocate
from convert.c.banded import BAND, band_where_it_profits
from convert.c.step import Buffer, Reach, Share, Step, Value


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


@dataclass(frozen=True, kw_only=True)
class Rows(Apart):
    """A step of 32 rows, each of which reads the same row of its inputs."""

    def share(self, function: str = "") -> Share:
        return Share(32, self.output.size // 32, (Reach(self.output.size // 32),) * len(self.inputs), ())


@dataclass(frozen=True, kw_only=True)
class RowsInPlace(Rows, InPlace):
    """The same, in the place of an input."""


@pytest.mark.parametrize(("reads_again", "expected"), [(False, 2 * 16_400 + BAND + ALIGNMENT), (True, 3 * 16_400)])
def test_a_sum_is_computed_in_bands_behind_its_convolution(reads_again: bool, expected: int) -> None:
    """Unless somebody else reads the convolution's output, which then has to be whole."""
    first = value(16_384)
    one = step(Apart, [first], 16_384)
    other = Rows(name="other", inputs=(one.output,), output=value(16_384))
    total = RowsInPlace(name="total", inputs=(first, other.output), output=value(16_384))
    last = step(Apart, [total.output, other.output] if reads_again else [total.output], 16)
    plan = SimpleNamespace(input=first, output=last.output, steps=[one, other, total, last])
    band_where_it_profits(plan)
    arena, _ = allocate(first, plan.steps, last.output)
    assert arena == expected
    assert other.output.is_band == (not reads_again)
    assert len(plan.steps) == (4 if reads_again else 3)
