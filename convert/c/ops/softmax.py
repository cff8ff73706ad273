"""SOFTMAX: probabilities from logits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from convert.c.c_library import expf
from convert.c.initializers import float_literal, numbers
from convert.c.network import NetworkTensor, Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Step, Value


@dataclass(frozen=True, kw_only=True)
class Softmax(Step):
    """Probabilities from logits."""

    kernel: ClassVar[str] = "softmax"
    powers: npt.NDArray[np.float32]
    scale: float
    zero_point: int

    def constants(self) -> Iterator[str]:
        """C of the table of powers."""
        yield f"static const float {self.name}_powers[256] = {{\n{numbers(map(float_literal, self.powers))}\n}};\n"

    def overwritable(self) -> Sequence[Value]:
        """The logits."""
        return self.inputs

    def parameters(self) -> Sequence[object]:
        """Classes, table, and quantization of the output."""
        return self.inputs[0].size, f"{self.name}_powers", float_literal(self.scale), self.zero_point


@lowers("SOFTMAX")
def softmax(plan: Plan, operator: Operator) -> None:
    """Probabilities from one row of logits."""
    value, logits = plan.value(operator.inputs[0]), plan.tensor(operator.inputs[0])
    probabilities = plan.tensor(operator.outputs[0])
    if value.size != logits.shape[-1]:
        raise plan.refusal(f"has a softmax over more than one row, {probabilities.name!r}")
    step = Softmax(
        name=plan.name(operator),
        inputs=(value,),
        output=plan.output_value(operator.outputs[0]),
        powers=softmax_powers(logits, operator.options["beta"]),
        scale=float(probabilities.scale),
        zero_point=probabilities.zero_point,
    )
    plan.steps.append(step)


def softmax_powers(logits: NetworkTensor, beta: float) -> npt.NDArray[np.float32]:
    """exp(-scale * beta * (255 - i)), float32, (256,). Source: PopulateSoftmaxLookupTable."""
    scale = -logits.scale * np.float32(beta)
    return expf(scale * np.arange(255, -1, -1).astype(np.float32))
