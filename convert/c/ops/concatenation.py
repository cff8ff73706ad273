"""CONCATENATION: values behind one another along an axis."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from convert.c.fixed_point import activation_range
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Step, Value


@dataclass(frozen=True, kw_only=True)
class CopyRows(Step):
    """A copy of rows of bytes to where they stand in longer rows."""

    kernel: ClassVar[str] = "copy_rows"
    rows: int
    start: int  # of the first row in the output

    def addresses(self) -> list[str]:
        """From where to where."""
        start = f" + {self.start}" if self.start else ""
        return [self.inputs[0].pointer, self.output.pointer + start]

    def parameters(self) -> Sequence[object]:
        """Rows, the bytes of one, and those from one to the next in the output."""
        return self.rows, self.inputs[0].size // self.rows, self.output.size // self.rows


@lowers("CONCATENATION")
def concatenation(plan: Plan, operator: Operator) -> None:
    """Values of one scale and zero point, each copied to its place."""
    joined = plan.tensor(operator.outputs[0])
    tensors = [plan.tensor(place) for place in operator.inputs]
    if any((tensor.scale, tensor.zero_point) != (joined.scale, joined.zero_point) for tensor in tensors):
        raise plan.refusal(f"joins values of different scales, {joined.name!r}")
    if activation_range(operator.options["fusedActivationFunction"], joined) != (-128, 127):
        raise plan.refusal(f"joins values with an activation, {joined.name!r}")
    rows = prod(joined.shape[: operator.options["axis"] % len(joined.shape)])
    values = [plan.value(place) for place in operator.inputs]
    output = plan.output_value(operator.outputs[0])
    for value, start in zip(values, starts(values, rows), strict=True):
        plan.steps.append(CopyRows(name=plan.name(operator), inputs=(value,), output=output, rows=rows, start=start))


def copy_channels(name: str, value: Value, output: Value, start: int) -> CopyRows:
    """The step that copies a picture to some channels of another."""
    rows = output.height * output.width
    return CopyRows(name=name, inputs=(value,), output=output, rows=rows, start=start)


def starts(values: Sequence[Value], rows: int) -> list[int]:
    """Where in a row of all values each of them begins."""
    return [sum(value.size for value in values[:number]) // rows for number in range(len(values))]
