"""PAD: a border of one value around a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Step


@dataclass(frozen=True, kw_only=True)
class Pad(Step):
    """A copy of a value with a border; `left` and `right` are bytes of a row."""

    kernel: ClassVar[str] = "pad"
    top: int
    bottom: int
    left: int
    right: int
    fill: int

    def parameters(self) -> Sequence[object]:
        """Sides and border."""
        (value,) = self.inputs
        return value.height, value.row, self.top, self.bottom, self.left, self.right, self.fill


@lowers("PAD")
def pad(plan: Plan, operator: Operator) -> None:
    """A border of the output's zero point, above, below and at the sides."""
    around = np.asarray(plan.constant(operator.inputs[1]))
    if around.shape != (4, 2) or around[0].any() or around[3].any():
        raise plan.refusal(f"pads other axes than height and width, {plan.tensor(operator.outputs[0]).name!r}")
    top, bottom, left, right = map(int, around[1:3].ravel())
    name, output = plan.name(operator), plan.output_value(operator.outputs[0])
    channels, fill = output.channels, plan.tensor(operator.outputs[0]).zero_point
    value, left, right = plan.value(operator.inputs[0]), left * channels, right * channels
    step = Pad(name=name, inputs=(value,), output=output, top=top, bottom=bottom, left=left, right=right, fill=fill)
    plan.steps.append(step)
