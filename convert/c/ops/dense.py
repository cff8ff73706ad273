"""FULLY_CONNECTED: a dense layer, a convolution of one position that is rounded once."""

import numpy as np

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.conv_layer import Rescaling, conv_step
from convert.c.ops.layer import folded_bias, multipliers, output_fields, reals, sums_reached
from convert.c.ops.walk import walk
from convert.c.plan import Plan
from convert.c.rounding import Wide, dense_multipliers
from convert.c.step import Value
from convert.c.tiles import RULE


@lowers("FULLY_CONNECTED")
def dense(plan: Plan, operator: Operator) -> None:
    """A dense layer over one row."""
    matrix, value = plan.constant(operator.inputs[1]), plan.value(operator.inputs[0])
    if value.size != matrix.shape[1]:
        raise plan.refusal("has a dense layer over more than one row")
    row = Value(value.buffer, 1, 1, value.size)
    weights = matrix[:, np.newaxis, np.newaxis, :]
    name = plan.name(operator)
    output = plan.output_value_read(operator.outputs[0])
    fields = {"dense": 1} | walk(row) | output_fields(plan, output, operator)
    rescaling = _rescaling(plan, operator, sums_reached(plan, operator, weights))
    bias = folded_bias(plan, operator, weights)
    plan.steps.append(conv_step(name, row, output, weights, bias, rescaling, fields, plan.tiles.get(name, RULE)))


def _rescaling(plan: Plan, operator: Operator, reach: tuple[Wide, Wide]) -> Rescaling:
    """Multipliers and shifts that are exact for all sums of the layer; where there are none, scales too."""
    channels = len(reach[0])
    scales = np.array(reals(plan, operator, channels))
    if (np.maximum(np.abs(reach[0]), np.abs(reach[1])).clip(max=2**31) * scales >= 2**31 - 128).any():
        name = plan.tensor(operator.outputs[0]).name
        raise plan.refusal(f"has outputs beyond 32 bits before they are clamped, {name!r}")
    exact = dense_multipliers(scales.tolist(), *reach)
    return Rescaling(*exact) if exact else Rescaling(*multipliers(plan, operator, channels), scales)
