"""PRELU: what is negative times an alpha of its channel."""

from dataclasses import dataclass
from typing import ClassVar

from convert.c.cpus import Cpu
from convert.c.fixed_point import multiplier
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.pairwise import Pairwise, pairwise_fields
from convert.c.plan import Plan
from convert.c.step import StructStep

_LEFT = 8  # bits to the left, at most


@dataclass(frozen=True, kw_only=True)
class Prelu(StructStep, Pairwise):
    """A ReLU whose slope below zero is the second operand."""

    kernel: ClassVar[str] = "prelu"

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether 32 bits hold both sides: a value less its zero point has 9 bits, its product with alpha 17."""
        shifts = self.fields["positive_shift"], self.fields["negative_shift"]
        return all(-_LEFT <= shift <= 31 for shift in shifts)


@lowers("PRELU")
def prelu(plan: Plan, operator: Operator) -> None:
    """Two multipliers. Source: PreluPrepare, activations.cc."""
    value, alpha = (plan.tensor(place) for place in operator.inputs)
    output = plan.tensor(operator.outputs[0])
    positive, positive_shift = multiplier(float(value.scale / output.scale))
    negative, negative_shift = multiplier(float(value.scale * alpha.scale / output.scale))
    fields = {
        "input_zero_point": value.zero_point,
        "alpha_zero_point": alpha.zero_point,
        "zero_point": output.zero_point,
        "positive": positive,
        "positive_shift": positive_shift,
        "negative": negative,
        "negative_shift": negative_shift,
    }
    plan.steps.append(Prelu(**pairwise_fields(plan, operator), fields=fields))
