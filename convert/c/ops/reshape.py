"""RESHAPE: no step, the same bytes read otherwise."""

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Value


@lowers("RESHAPE")
def reshape(plan: Plan, operator: Operator) -> None:
    """The same bytes with other sides."""
    value = plan.value(operator.inputs[0])
    plan.values[operator.outputs[0]] = Value(value.buffer, *plan.picture(operator.outputs[0]))
