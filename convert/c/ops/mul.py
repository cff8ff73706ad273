"""MUL: the product of two values."""

from dataclasses import dataclass
from typing import ClassVar

from convert.c.cpus import Cpu
from convert.c.fixed_point import activation_range, multiplier
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.pairwise import Pairwise, pairwise_fields
from convert.c.plan import Plan
from convert.c.step import StructStep


@dataclass(frozen=True, kw_only=True)
class Mul(StructStep, Pairwise):
    """The product of two values."""

    kernel: ClassVar[str] = "mul"

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether products are shifted to the right, so that half away from zero is half up, less one below zero."""
        return 1 <= self.fields["shift"] <= 31


@lowers("MUL")
def mul(plan: Plan, operator: Operator) -> None:
    """The product of two values; their scales are multiplied in float32. Source: Prepare, mul.cc."""
    one, other = (plan.tensor(place) for place in operator.inputs)
    product = plan.tensor(operator.outputs[0])
    fixed, shift = multiplier(float(one.scale * other.scale / product.scale))
    least, most = activation_range(operator.options["fusedActivationFunction"], product)
    fields = {
        "one_zero_point": one.zero_point,
        "other_zero_point": other.zero_point,
        "zero_point": product.zero_point,
        "multiplier": fixed,
        "shift": shift,
        "least": least,
        "most": most,
    }
    plan.steps.append(Mul(**pairwise_fields(plan, operator), fields=fields))
