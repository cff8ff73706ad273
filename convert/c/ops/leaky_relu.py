"""LEAKY_RELU: what is negative times alpha."""

import numpy as np

from convert.c.fixed_point import multiplier, rescaled
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.lookup import EVERY_INT8, add_lookup
from convert.c.plan import Plan


@lowers("LEAKY_RELU")
def leaky_relu(plan: Plan, operator: Operator) -> None:
    """Two multipliers. Source: LeakyReluPrepare, activations.cc."""
    values, outputs = plan.tensor(operator.inputs[0]), plan.tensor(operator.outputs[0])
    alpha = np.float32(operator.options["alpha"])
    if alpha < 0:
        raise plan.refusal(f"has a leaky ReLU whose alpha is negative, {outputs.name!r}")
    centred = EVERY_INT8 - values.zero_point
    positive = rescaled(centred, *multiplier(float(values.scale) / float(outputs.scale)))
    negative = rescaled(centred, *multiplier(float(values.scale * alpha / outputs.scale)))
    add_lookup(plan, operator, np.where(centred < 0, negative, positive) + outputs.zero_point)
