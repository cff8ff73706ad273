"""TANH: the hyperbolic tangent."""

import numpy as np
import numpy.typing as npt

from convert.c.fixed_point import LEAST, MOST
from convert.c.network import NetworkTensor, Operator
from convert.c.operators import lowers
from convert.c.ops.lookup import EVERY_INT8, add_lookup
from convert.c.plan import Plan
from convert.c.rounding import rounded

_ERROR = 3  # last places by which tanhf of C libraries may be off


@lowers("TANH")
def tanh(plan: Plan, operator: Operator) -> None:
    """Computed in float32 by the C library, which rounds otherwise here and there. Source: TanhPrepare, activations.cc.

    Raises:
        EdgecnnError: an output lies so near the middle of two integers that its last bits decide.
    """
    values, outputs = plan.tensor(operator.inputs[0]), plan.tensor(operator.outputs[0])
    reals = values.scale * (EVERY_INT8 - values.zero_point).astype(np.float32)
    near = np.tanh(reals.astype(np.float64)).astype(np.float32)
    error = _ERROR * np.spacing(near)
    low, middle, high = (_quantized(bound, outputs) for bound in (near - error, near, near + error))
    if (low != high).any():
        raise plan.refusal(f"has a tanh of which the last bits decide, {outputs.name!r}")
    add_lookup(plan, operator, middle)


def _quantized(reals: npt.NDArray[np.float32], outputs: NetworkTensor) -> npt.NDArray[np.float64]:
    """As integers of a tensor, half away from zero."""
    steps = reals * (np.float32(1) / outputs.scale)
    return (rounded(steps.astype(np.float64)) + outputs.zero_point).clip(LEAST, MOST)
