"""RELU, RELU6, RELU_N1_TO_1: activations that no layer before them does."""

from convert.c.fixed_point import activation_range, multiplier, rescaled
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.lookup import EVERY_INT8, add_lookup
from convert.c.plan import Plan

_FUSED = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}  # schema.ActivationFunctionType


@lowers(*_FUSED)
def relu(plan: Plan, operator: Operator) -> None:
    """Rescaled, then clamped. Source: QuantizedReluX, activations.cc."""
    values, outputs = plan.tensor(operator.inputs[0]), plan.tensor(operator.outputs[0])
    least, most = activation_range(_FUSED[operator.kind], outputs)
    scale = multiplier(float(values.scale) / float(outputs.scale))
    rescaling = rescaled(EVERY_INT8 - values.zero_point, *scale) + outputs.zero_point
    add_lookup(plan, operator, rescaling.clip(least, most))
