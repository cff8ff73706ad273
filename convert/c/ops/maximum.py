"""MAXIMUM, MINIMUM: the larger and the smaller of two values."""

from dataclasses import dataclass
from typing import ClassVar

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.pairwise import Pairwise, pairwise_fields
from convert.c.plan import Plan


@dataclass(frozen=True, kw_only=True)
class Maximum(Pairwise):
    """The larger of two values."""

    kernel: ClassVar[str] = "maximum"


@dataclass(frozen=True, kw_only=True)
class Minimum(Pairwise):
    """The smaller of two values."""

    kernel: ClassVar[str] = "minimum"


@lowers("MAXIMUM")
def maximum(plan: Plan, operator: Operator) -> None:
    """The larger of two values of one scale."""
    plan.steps.append(Maximum(**pairwise_fields(plan, operator)))


@lowers("MINIMUM")
def minimum(plan: Plan, operator: Operator) -> None:
    """The smaller of two values of one scale."""
    plan.steps.append(Minimum(**pairwise_fields(plan, operator)))
