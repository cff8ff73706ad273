"""The same ONNX bytes from the same conversion: names, order and constants of a graph.

tf2onnx numbers the nodes that it adds by what the process did before (`Reshape__37`, `__inference_classify_317`). Here
they are numbered anew, in the order of the graph.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convert.formats.onnx_graph import all_nodes

if TYPE_CHECKING:
    import onnx

_NUMBERED = re.compile(r"__(\d+)")


def make_canonical(proto: "onnx.ModelProto") -> None:
    """Number the names that tf2onnx numbered (`__37`) anew, in the order of the graph; sort constants by name."""
    numbers: dict[str, str] = {}

    def renumbered(name: str) -> str:
        return _NUMBERED.sub(lambda number: "__" + numbers.setdefault(number[1], str(len(numbers))), name)

    proto.graph.doc_string = ""
    shared = _shared_constants(proto.graph)
    _rename(proto.graph, lambda name: renumbered(shared.get(name, name)))
    for graph in _graphs(proto.graph):
        constants = sorted(graph.initializer, key=lambda constant: constant.name)
        del graph.initializer[:]
        graph.initializer.extend(constants)


def _graphs(graph: "onnx.GraphProto") -> list["onnx.GraphProto"]:
    """A graph, and the bodies of its loops and branches."""
    bodies = [attribute.g for node in all_nodes(graph) for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *bodies]


def _rename(graph: "onnx.GraphProto", new_name: Callable[[str], str]) -> None:
    """Rename all nodes, values and constants, in the order of the graph."""
    for node in all_nodes(graph):
        node.name = new_name(node.name)
        node.input[:], node.output[:] = map(new_name, node.input), map(new_name, node.output)
    for body in _graphs(graph):
        for value in (*body.initializer, *body.value_info, *body.input, *body.output):
            value.name = new_name(value.name)


def _shared_constants(graph: "onnx.GraphProto") -> dict[str, str]:
    """New names, after their first reader, for constants that tf2onnx merged: numbered, and read more than once."""
    names = [constant.name for constant in graph.initializer]
    readers: dict[str, list[str]] = {name: [] for name in names if _NUMBERED.search(name)}
    for node in all_nodes(graph):
        for place, name in enumerate(node.input):
            if name in readers:
                readers[name].append(f"{node.name}_{place}_shared")
    return {name: places[0] for name, places in readers.items() if len(places) > 1}


def merge_duplicates_in_order() -> None:
    """Let tf2onnx always keep the same one of equal nodes and constants: it keeps any, in the order of a set."""
    from tf2onnx.optimizer.merge_duplicated_nodes_optimizer import MergeDuplicatedNodesOptimizer

    def order(node: Any) -> tuple[int, str]:
        return len(node.output), _NUMBERED.sub("", node.name)

    MergeDuplicatedNodesOptimizer._len_of_node_output = staticmethod(order)
