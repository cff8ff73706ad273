"""From a graph to a plan: each operator becomes its steps, then each value gets its place in the arena."""

from collections.abc import Callable

from convert.c import moves, windows
from convert.c.graph import Graph, Op
from convert.c.plan import Plan
from convert.c.steps import place
from edgecnn.errors import EdgecnnError

_LOWER: dict[str, Callable[[Plan, Op], list[Op]]] = {
    "CONV_2D": windows.conv,
    "DEPTHWISE_CONV_2D": windows.depthwise,
    "FULLY_CONNECTED": windows.dense,
    "MAX_POOL_2D": windows.pool,
    "AVERAGE_POOL_2D": windows.pool,
    "MEAN": moves.mean,
    "ADD": moves.add,
    "MAXIMUM": moves.maximum,
    "PAD": moves.pad,
    "RESHAPE": moves.reshape,
    "SOFTMAX": moves.softmax,
    "STRIDED_SLICE": moves.strided_slice,
    "SPACE_TO_DEPTH": moves.space_to_depth,
    "SPLIT": moves.split,
}


def plan(source: str, graph: Graph) -> Plan:
    """The steps of a graph, with their places in the arena.

    Raises:
        EdgecnnError: an operator has a form that C is not written for, or the file contradicts itself.
    """
    try:
        return _plan(source, graph)
    except EdgecnnError:
        raise
    except Exception as error:  # an operator whose tensors do not fit it shows as anything
        raise EdgecnnError(f"{source} contradicts itself ({type(error).__name__}: {error}): export it anew") from None


def _plan(source: str, graph: Graph) -> Plan:
    made = Plan(source, graph)
    made.values[graph.input] = made.new(*made.whole(graph.input))
    done: set[int] = set()
    for op in graph.ops:
        if id(op) not in done:
            done |= {id(each) for each in _LOWER[op.kind](made, op)}
    made.value(graph.output)
    made.arena = place(made.buffers)
    return made
