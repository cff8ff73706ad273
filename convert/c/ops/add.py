"""ADD, SUB: the sum and the difference of two values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from convert.c.cpus import Cpu
from convert.c.fixed_point import activation_range, multiplier
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.linear_sum import linear_sum
from convert.c.ops.pairwise import Pairwise, pairwise_fields
from convert.c.plan import Plan
from convert.c.step import StructStep

_LINEAR = ("TARGET_X86", "TARGET_HELIUM")  # whose kernels compute a linear sum


@dataclass(frozen=True, kw_only=True)
class Add(StructStep, Pairwise):
    """The sum or the difference of two values."""

    kernel: ClassVar[str] = "add"

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether there is a linear sum; others shift to the right: half away from zero is half up, less one."""
        return self.fields["one_factor"] > 0 if cpu.macro in _LINEAR else self.fields["shift"] >= 1


@lowers("ADD", "SUB")
def add(plan: Plan, operator: Operator) -> None:
    """The sum or the difference of two values."""
    fields = _fields(plan, operator)
    fields = {**fields, **linear_sum(fields)}
    plan.steps.append(Add(**pairwise_fields(plan, operator), fields=fields))


def _fields(plan: Plan, operator: Operator) -> Mapping[str, int]:
    """The fields of the struct. Source: PrepareGeneralQuantizedAdd, add.cc."""
    one, other = (plan.tensor(place) for place in operator.inputs)
    total = plan.tensor(operator.outputs[0])
    twice = 2 * max(float(one.scale), float(other.scale))
    least, most = activation_range(operator.options["fusedActivationFunction"], total)
    one_multiplier, one_shift = multiplier(float(one.scale) / twice)
    other_multiplier, other_shift = multiplier(float(other.scale) / twice)
    fixed, shift = multiplier(twice / (2**20 * float(total.scale)))
    if shift < 0:  # TFLite ends the process
        raise plan.refusal(f"adds into a scale that is too small, {total.name!r}")
    return {
        "one_zero_point": one.zero_point,
        "other_zero_point": other.zero_point,
        "zero_point": total.zero_point,
        "one_multiplier": one_multiplier,
        "one_shift": one_shift,
        "other_multiplier": other_multiplier,
        "other_shift": other_shift,
        "multiplier": fixed,
        "shift": shift,
        "least": least,
        "most": most,
        "is_difference": int(operator.kind == "SUB"),
    }
