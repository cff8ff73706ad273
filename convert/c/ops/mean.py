"""MEAN: over height and width."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from convert.c.cpus import Cpu
from convert.c.fixed_point import multiplier
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Step


@dataclass(frozen=True, kw_only=True)
class Mean(Step):
    """The mean over height and width."""

    kernel: ClassVar[str] = "mean"
    input_zero_point: int
    zero_point: int
    multiplier: int
    shift: int

    def parameters(self) -> Sequence[object]:
        """Sides and rescaling."""
        (value,) = self.inputs
        zero_points = (self.input_zero_point, self.zero_point)
        return value.height * value.width, value.channels, *zero_points, self.multiplier, self.shift

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether 32 bits hold the sums, which are shifted to the right, of whole vectors of channels."""
        (value,) = self.inputs
        return value.channels >= 8 and value.height * value.width < 2**22 and 1 <= self.shift <= 31


@lowers("MEAN")
def mean(plan: Plan, operator: Operator) -> None:
    """The mean over height and width."""
    axes = sorted(int(axis) % 4 for axis in np.ravel(plan.constant(operator.inputs[1])))
    value, picture = plan.value(operator.inputs[0]), plan.tensor(operator.inputs[0])
    means = plan.tensor(operator.outputs[0])
    if len(picture.shape) != 4 or axes != [1, 2]:
        raise plan.refusal(f"has a mean over other axes than height and width, {means.name!r}")
    fixed, shift = multiplier(float(picture.scale) / float(means.scale))
    fixed, shift = _divided(fixed, shift, value.height * value.width)
    step = Mean(
        name=plan.name(operator),
        inputs=(value,),
        output=plan.output_value(operator.outputs[0]),
        input_zero_point=picture.zero_point,
        zero_point=means.zero_point,
        multiplier=fixed,
        shift=shift,
    )
    plan.steps.append(step)


def _divided(fixed: int, shift: int, count: int) -> tuple[int, int]:
    """A multiplier divided by a count, without losing bits. Source: TFLite's mean of integers, reduce.cc."""
    more = min(count.bit_length() - 1, 32, 31 - shift)
    return (fixed << more) // count, shift + more
