"""The operators that C is written for. A module of ops/ registers its own: `@lowers("SOFTMAX")`."""

from collections.abc import Callable
from dataclasses import dataclass

from convert.c.network import Network, Operator
from convert.c.plan import Plan, Sides

Lower = Callable[[Plan, Operator], None]
Reads = Callable[[Network, Operator, Sides], Sides]


@dataclass(frozen=True)
class Lowering:
    """How an operator becomes steps."""

    lower: Lower  # appends the steps
    reads: Reads | None  # how much of its first input it reads, for so much of its output; nothing: all


LOWERINGS: dict[str, Lowering] = {}


def lowers(*kinds: str, reads: Reads | None = None) -> Callable[[Lower], Lower]:
    """Register a function for operators, by their names in TFLite's schema."""

    def register(lower: Lower) -> Lower:
        LOWERINGS.update({kind: Lowering(lower, reads) for kind in kinds})
        return lower

    return register
