"""QUANTIZE: from one scale and zero point to another."""

from convert.c.fixed_point import multiplier, rescaled
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.lookup import EVERY_INT8, add_lookup
from convert.c.plan import Plan


@lowers("QUANTIZE")
def quantize(plan: Plan, operator: Operator) -> None:
    """Rescaled. Source: Requantize, requantize.h."""
    values, outputs = plan.tensor(operator.inputs[0]), plan.tensor(operator.outputs[0])
    scale = multiplier(float(values.scale) / float(outputs.scale))
    add_lookup(plan, operator, rescaled(EVERY_INT8 - values.zero_point, *scale) + outputs.zero_point)
