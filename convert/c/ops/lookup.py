"""What operators of one value share: a table of what every int8 becomes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from convert.c.fixed_point import LEAST, MOST
from convert.c.initializers import array
from convert.c.network import Operator
from convert.c.plan import Plan
from convert.c.step import Bytes, Step, Value

EVERY_INT8 = np.arange(LEAST, MOST + 1)


@dataclass(frozen=True, kw_only=True)
class Lookup(Step):
    """Each value by a table."""

    kernel: ClassVar[str] = "lookup"
    table: Bytes  # (256,), of -128 first

    def constants(self) -> Iterator[str]:
        """C of the table."""
        yield array("int8_t", f"{self.name}_table", self.table)

    def parameters(self) -> Sequence[object]:
        """How many, and the table."""
        return self.output.size, f"{self.name}_table"

    def overwritable(self) -> Sequence[Value]:
        """The input."""
        return self.inputs

    @property
    def constant_bytes(self) -> int:
        """Bytes of the table."""
        return self.table.nbytes


def add_lookup(plan: Plan, operator: Operator, outputs: npt.NDArray[Any]) -> None:
    """Append the step that gives for every int8, the least first, the output at its place, clamped to int8."""
    name, value = plan.name(operator), plan.value(operator.inputs[0])
    table = outputs.clip(LEAST, MOST).astype(np.int8)
    output = plan.output_value(operator.outputs[0])
    plan.steps.append(Lookup(name=name, inputs=(value,), output=output, table=table))
