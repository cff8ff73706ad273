"""PAD: a border of one value around a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from convert.c.fixed_point import LEAST
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.windows import padding, window_sides
from convert.c.plan import Border, Plan
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


def _can_have(plan: Plan, reader: Operator, around: Border) -> bool:
    """Whether an operator can read a value with such a border as if it lay there: each window holds some of the value.

    A maximum is over what a window has of the value itself, which is the same where the border is the least of all.
    """
    is_least = plan.tensor(reader.inputs[0]).zero_point == LEAST
    if reader.kind not in ("CONV_2D", "DEPTHWISE_CONV_2D", *(["MAX_POOL_2D"] if is_least else [])):
        return False
    height, width = window_sides(plan.network, reader)
    own = padding(plan, reader, (height, width))
    return all(map(int.__lt__, map(int.__add__, own, around), (height, height, width, width)))


@lowers("PAD")
def pad(plan: Plan, operator: Operator) -> None:
    """A border of the output's zero point, above, below and at the sides: its readers' own, where these can have it."""
    around = np.asarray(plan.constant(operator.inputs[1]))
    if around.shape != (4, 2) or around[0].any() or around[3].any():
        raise plan.refusal(f"pads other axes than height and width, {plan.tensor(operator.outputs[0]).name!r}")
    top, bottom, left, right = map(int, around[1:3].ravel())
    (padded,) = operator.outputs
    readers = plan.readers(padded)
    if padded != plan.network.output and all(_can_have(plan, reader, (top, bottom, left, right)) for reader in readers):
        plan.around[padded], plan.values[padded] = (top, bottom, left, right), plan.value(operator.inputs[0])
        return
    name, output = plan.name(operator), plan.output_value(operator.outputs[0])
    channels, fill = output.channels, plan.tensor(operator.outputs[0]).zero_point
    value, left, right = plan.value(operator.inputs[0]), left * channels, right * channels
    step = Pad(name=name, inputs=(value,), output=output, top=top, bottom=bottom, left=left, right=right, fill=fill)
    plan.steps.append(step)
