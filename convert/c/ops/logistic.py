"""LOGISTIC: 1 / (1 + exp(-x))."""

import numpy as np

from convert.c.c_library import expf
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.lookup import EVERY_INT8, add_lookup
from convert.c.plan import Plan
from convert.c.rounding import rounded


@lowers("LOGISTIC")
def logistic(plan: Plan, operator: Operator) -> None:
    """Computed in float32. Source: PopulateLookupTable, activations.cc."""
    logits, shares = plan.tensor(operator.inputs[0]), plan.tensor(operator.outputs[0])
    reals = logits.scale * (EVERY_INT8 - logits.zero_point).astype(np.float32)
    values = np.float32(1) / (np.float32(1) + expf(-reals)) * (np.float32(1) / shares.scale)
    add_lookup(plan, operator, rounded(values.astype(np.float64)) + shares.zero_point)
