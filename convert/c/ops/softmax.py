"""SOFTMAX: probabilities from logits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from convert.c.initializers import float_literal, numbers
from convert.c.network import NetworkTensor, Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Step

_PARTS = float.fromhex("0x1.71547652b82fep+5")  # 32 / ln 2
_CUBIC = [
    float.fromhex("0x1.c6af84b912394p-20"),
    float.fromhex("0x1.ebfce50fac4f3p-13"),
    float.fromhex("0x1.62e42ff0c52d6p-6"),
]


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


def expf(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The exponential of float32 as C libraries compute it, which is not always the nearest float32.

    Source: expf.c of ARM's optimized routines, which glibc, musl, bionic and newlib share.
    """
    parts = np.rint(values.astype(np.float64) * _PARTS)
    rest = values.astype(np.float64) * _PARTS - parts
    cubic = (_CUBIC[0] * rest + _CUBIC[1]) * (rest * rest) + (_CUBIC[2] * rest + 1)
    whole, fraction = np.divmod(parts, 32)
    powers: npt.NDArray[np.float32] = (cubic * np.exp2(fraction / 32) * np.exp2(whole)).astype(np.float32)
    return powers
