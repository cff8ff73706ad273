"""MAX_POOL_2D, AVERAGE_POOL_2D, REDUCE_MAX: pooling that no convolution does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from convert.c.cpus import Cpu
from convert.c.fixed_point import LEAST, MOST
from convert.c.network import Network, Operator
from convert.c.operators import lowers
from convert.c.ops.layer import output_fields
from convert.c.ops.windows import row_reach, sides_read, window_fields, window_sides
from convert.c.plan import Plan, Sides
from convert.c.step import Share, StructStep


@dataclass(frozen=True, kw_only=True)
class Pool(StructStep):
    """Maximum or average pooling."""

    kernel: ClassVar[str] = "pool"
    is_average: bool

    def parameters(self) -> Sequence[object]:
        """Which of both."""
        return (int(self.is_average),)

    def share(self, function: str = "") -> Share | None:
        """Rows."""
        fields, (value,) = self.fields, self.inputs
        reads = row_reach(value.row, fields["stride_y"], fields["pool_height"], fields["top"])
        return self.share_of_rows(function, fields["stride_y"], reads)

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether 16 bits hold the sums, of whole vectors of channels."""
        few = self.fields["pool_height"] * self.fields["pool_width"] <= 255
        return self.fields["channels"] >= 8 and (few or not self.is_average)


def _reads(network: Network, operator: Operator, outputs: Sides) -> Sides:
    return sides_read(network, operator, window_sides(network, operator), outputs)


@lowers("MAX_POOL_2D", "AVERAGE_POOL_2D", reads=_reads)
def pool(plan: Plan, operator: Operator) -> None:
    """Maximum or average pooling."""
    window = window_sides(plan.network, operator)
    value = plan.value(operator.inputs[0])
    name, output = plan.name(operator), plan.output_value_read(operator.outputs[0])
    fields = {
        "pool_height": window[0],
        "pool_width": window[1],
        **window_fields(plan, operator, window, value),
        **output_fields(plan, output, operator),
    }
    is_average = operator.kind == "AVERAGE_POOL_2D"
    plan.steps.append(Pool(name=name, inputs=(value,), output=output, fields=fields, is_average=is_average))


@lowers("REDUCE_MAX")
def reduce_max(plan: Plan, operator: Operator) -> None:
    """The maximum over height and width: a window as large as the picture."""
    axes = sorted(int(axis) % 4 for axis in np.ravel(plan.constant(operator.inputs[1])))
    value, largest = plan.value(operator.inputs[0]), plan.tensor(operator.outputs[0])
    if len(plan.tensor(operator.inputs[0]).shape) != 4 or axes != [1, 2]:
        raise plan.refusal(f"has a maximum over other axes than height and width, {largest.name!r}")
    whole = {"pool_height": value.height, "pool_width": value.width, "stride_y": 1, "stride_x": 1, "top": 0, "left": 0}
    fields = whole | {"input_height": value.height, "input_width": value.width, "height": 1, "width": 1}
    fields |= {"channels": value.channels, "zero_point": largest.zero_point, "least": LEAST, "most": MOST}
    name = plan.name(operator)
    output = plan.output_value(operator.outputs[0])
    plan.steps.append(Pool(name=name, inputs=(value,), output=output, fields=fields, is_average=False))
