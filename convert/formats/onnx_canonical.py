"""The same ONNX bytes from the same conversion: names, order and constants of a graph.

tf2onnx numbers what it adds by what the process did before (`Reshape__37`, `__inference_classify_317`): those numbers
are counted anew or dropped, so that the same conversion gives the same bytes.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convert.formats.onnx_graph import all_nodes

if TYPE_CHECKING:
    import onnx

_NUMBERED = re.compile(r"__(\d+)")


def make_canonical(proto: "onnx.ModelProto") -> None:
    """Count the numbers that tf2onnx gave (`__37`) anew, in the order of the graph; sort constants by name."""
    order: dict[str, str] = {}

    def renamed(name: str) -> str:
        return _NUMBERED.sub(lambda number: "__" + order.setdefault(number[1], str(len(order))), name)

    proto.graph.doc_string = ""
    shared = _shared_constants(proto.graph)
    _rename(proto.graph, lambda name: renamed(shared.get(name, name)))
    for graph in _graphs(proto.graph):
        constants = sorted(graph.initializer, key=lambda each: each.name)
        del graph.initializer[:]
        graph.initializer.extend(constants)


def _graphs(graph: "onnx.GraphProto") -> list["onnx.GraphProto"]:
    """A graph, and the bodies of its loops and branches."""
    bodies = [attribute.g for node in all_nodes(graph) for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *bodies]


def _rename(graph: "onnx.GraphProto", renamed: Callable[[str], str]) -> None:
    """Give everything in a graph another name: nodes, values, constants, in the order of the graph."""
    for node in all_nodes(graph):
        node.name = renamed(node.name)
        node.input[:], node.output[:] = map(renamed, node.input), map(renamed, node.output)
    for each in _graphs(graph):
        for named in (*each.initializer, *each.value_info, *each.input, *each.output):
            named.name = renamed(named.name)


def _shared_constants(graph: "onnx.GraphProto") -> dict[str, str]:
    """Names by their first reader for constants that tf2onnx merged of several: numbered, and read more than once."""
    readings: dict[str, list[str]] = {each.name: [] for each in graph.initializer if _NUMBERED.search(each.name)}
    for node in all_nodes(graph):
        for place, name in enumerate(node.input):
            if name in readings:
                readings[name].append(f"{node.name}_{place}_shared")
    return {name: places[0] for name, places in readings.items() if len(places) > 1}


def keep_alike() -> None:
    """Let tf2onnx keep, of nodes and constants that are equal, the same each time: it takes any, in a set's order."""
    from tf2onnx.optimizer.merge_duplicated_nodes_optimizer import MergeDuplicatedNodesOptimizer

    def order(node: Any) -> tuple[int, str]:
        return len(node.output), _NUMBERED.sub("", node.name)

    MergeDuplicatedNodesOptimizer._len_of_node_output = staticmethod(order)
