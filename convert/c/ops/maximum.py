"""MAXIMUM: the larger of two values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Step


@dataclass(frozen=True, kw_only=True)
class Maximum(Step):
    """The larger of two values."""

    kernel: ClassVar[str] = "maximum"

    def parameters(self) -> Sequence[object]:
        """How many."""
        return (self.output.size,)


@lowers("MAXIMUM")
def maximum(plan: Plan, operator: Operator) -> None:
    """The larger of two values of one shape and scale."""
    first, second = (plan.value(place) for place in operator.inputs)
    if first.size != second.size:
        raise plan.refusal("takes the maximum of values of different shapes")
    name, output = plan.name(operator), plan.output_value(operator.outputs[0])
    plan.steps.append(Maximum(name=name, inputs=(first, second), output=output))
