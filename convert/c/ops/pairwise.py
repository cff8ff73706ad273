"""What operators of two values share: values of other shapes, constants."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from convert.c.initializers import array
from convert.c.network import Operator
from convert.c.ops.gather import add_gather, byte_steps
from convert.c.plan import Plan
from convert.c.step import Bytes, Reach, Share, Step, Value

_SHORT = 16  # channels: a row of fewer is one of all columns, where it can be
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operand:
    """One of the two values: computed or constant, for all of the output or for one row of it, which repeats."""

    content: Value | Bytes
    is_row: bool


@dataclass(frozen=True, kw_only=True)
class Pairwise(Step):
    """A call for each row of the output: `kernel(one, other, output, columns)`."""

    operands: tuple[Operand, Operand]
    rows: int = 1

    def constants(self) -> Iterator[str]:
        """C of the operands that are constants."""
        for side, operand in self._constants():
            yield array("int8_t", f"{self.name}_{side}", operand)

    def _constants(self) -> list[tuple[str, Bytes]]:
        sides = zip(("one", "other"), self.operands, strict=True)
        return [(side, operand.content) for side, operand in sides if not isinstance(operand.content, Value)]

    def addresses(self) -> list[str]:
        """Where operands and output are, in a row."""
        names = dict(zip(("one", "other"), self.operands, strict=True))
        places = [self._address(side, operand) for side, operand in names.items()]
        return [*places, self.output.pointer + self._row_offset(False)]

    def _address(self, side: str, operand: Operand) -> str:
        content = operand.content
        base = content.pointer if isinstance(content, Value) else f"{self.name}_{side}"
        return base + self._row_offset(operand.is_row)

    def _row_offset(self, is_row: bool) -> str:
        return "" if is_row or self.rows == 1 else f" + row * {self.columns}"

    @property
    def columns(self) -> int:
        """Bytes of a row."""
        return self.output.size // self.rows

    def parameters(self) -> Sequence[object]:
        """How many."""
        return (self.columns,)

    def call(self, function: str) -> str:
        """The call, in a loop where there are rows."""
        loop = f"for (int row = 0; row < {self.rows}; row++) " if self.rows > 1 else ""
        return loop + super().call(function)

    def share(self, function: str = "") -> Share | None:
        """Rows of the picture."""
        if self.rows > 1 or self.output.height == 1:
            return None
        row, sides = self.output.row, zip(("one", "other"), self.operands, strict=True)
        places = [self._row_address(side, operand.content) for side, operand in sides]
        start = self.arguments()[: -len(self.addresses()) - 1]
        words = [*start, *places, self.output.at_first(row), f"(last - first) * {row}"]
        reads = (Reach(row),) * len(self.inputs)
        return Share(self.output.height, row, reads, [f"{function}({', '.join(map(str, words))});"])

    def _row_address(self, side: str, content: Value | Bytes) -> str:
        row = self.output.row
        return content.at_first(row) if isinstance(content, Value) else f"{self.name}_{side} + first * {row}"

    def overwritable(self) -> Sequence[Value]:
        """Operands that no row repeats."""
        whole = [operand.content for operand in self.operands if not operand.is_row]
        return [content for content in whole if isinstance(content, Value)]

    @property
    def constant_bytes(self) -> int:
        """Bytes of the operands that are constants."""
        return sum(operand.nbytes for _, operand in self._constants())


def pairwise_fields(plan: Plan, operator: Operator) -> dict[str, Any]:
    """The fields of a `Pairwise` step: its name, inputs, output, operands and rows.

    An operand that is the same for every row of the output stays one row. Others of fewer values than the output are
    copied as often as they repeat: constants in the C, what is computed by a step of its own.
    """
    output = plan.tensor(operator.outputs[0]).shape
    name, columns = plan.name(operator), _columns(plan, operator, output)
    operands = [_operand(plan, place, output, columns, f"{name}_repeated") for place in operator.inputs]
    inputs = tuple(operand.content for operand in operands if isinstance(operand.content, Value))
    value = plan.output_value(operator.outputs[0])
    rows = value.size // columns if any(operand.is_row for operand in operands) else 1
    return {"name": name, "inputs": inputs, "output": value, "operands": tuple(operands), "rows": rows}


def _columns(plan: Plan, operator: Operator, output: Shape) -> int:
    """Bytes of a row: the channels, or all columns where these are few and no computed operand has one of channels."""
    row = [place for place in operator.inputs if place in plan.values and _repeats_a_row(plan, place, output)]
    is_short = len(output) > 1 and output[-1] < _SHORT and not row
    return output[-1] * (output[-2] if is_short else 1)


def _padded(plan: Plan, place: int, output: Shape) -> Shape:
    """A tensor's shape with as many axes as the output's."""
    shape = plan.tensor(place).shape
    return (1,) * (len(output) - len(shape)) + shape


def _repeats_a_row(plan: Plan, place: int, output: Shape) -> bool:
    shape = _padded(plan, place, output)
    return shape != output and all(side == 1 for side in shape[:-1]) and shape[-1] in (1, output[-1])


def _operand(plan: Plan, place: int, output: Shape, columns: int, name: str) -> Operand:
    is_row = _repeats_a_row(plan, place, output)
    if place not in plan.values:
        constant = plan.constant(place).astype(np.int8, casting="no")
        if not is_row:
            return Operand(np.broadcast_to(constant, output), False)
        channels = np.broadcast_to(constant.ravel(), output[-1:])
        return Operand(np.tile(channels, columns // output[-1]), True)
    shape, value = _padded(plan, place, output), plan.value(place)
    if shape == output or (is_row and shape[-1] == output[-1]):
        return Operand(value, is_row)
    return Operand(_repeated(plan, value, shape, output, name), False)


def _repeated(plan: Plan, value: Value, shape: Shape, output: Shape, name: str) -> Value:
    """A copy of a value with the output's shape."""
    np.broadcast_shapes(shape, output)
    sides = (1,) * (4 - len(output)) + output
    copied = plan.new(*(sides[1:] if len(sides) == 4 else (1, 1, int(np.prod(sides)))))
    steps = [0 if side == 1 else step for side, step in zip(shape, byte_steps(shape), strict=True)]
    add_gather(plan, plan.unique_name(name), value, copied, list(zip(output, steps, strict=True)))
    return copied
