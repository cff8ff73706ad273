"""ADD: the sum of two values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from convert.c.fixed_point import activation_range, multiplier
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import StructStep


@dataclass(frozen=True, kw_only=True)
class Add(StructStep):
    """The sum of two values."""

    kernel: ClassVar[str] = "add"

    def parameters(self) -> Sequence[object]:
        """How many."""
        return (self.output.size,)


@lowers("ADD")
def add(plan: Plan, operator: Operator) -> None:
    """The sum of two values of one shape. Source: PrepareGeneralQuantizedAdd, add.cc."""
    one, other = (plan.tensor(place) for place in operator.inputs)
    total = plan.tensor(operator.outputs[0])
    first, second = (plan.value(place) for place in operator.inputs)
    if one.shape != other.shape or first.size != second.size:
        raise plan.refusal(f"adds values of different shapes, {total.name!r}")
    twice = 2 * max(float(one.scale), float(other.scale))
    least, most = activation_range(operator.options["fusedActivationFunction"], total)
    one_multiplier, one_shift = multiplier(float(one.scale) / twice)
    other_multiplier, other_shift = multiplier(float(other.scale) / twice)
    fixed, shift = multiplier(twice / (2**20 * float(total.scale)))
    if shift < 0:  # TFLite ends the process
        raise plan.refusal(f"adds into a scale that is too small, {total.name!r}")
    fields = {
        "one_zero_point": one.zero_point,
        "other_zero_point": other.zero_point,
        "zero_point": total.zero_point,
        "one_multiplier": one_multiplier,
        "one_shift": one_shift,
        "other_multiplier": other_multiplier,
        "other_shift": other_shift,
        "multiplier": fixed,
        "shift": shift,
        "least": least,
        "most": most,
    }
    name, output = plan.name(operator), plan.output_value(operator.outputs[0])
    plan.steps.append(Add(name=name, inputs=(first, second), output=output, fields=fields))
