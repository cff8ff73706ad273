"""Names that last: from Keras layers to the tensors that converters make of them, and back.

TensorFlow makes names unique by numbering: of two layers `conv2d` and `conv2d_1` the scopes become `conv2d_1` and
`conv2d_1_2`, and which is which cannot be told. So layers are marked before a conversion, with a dot, which makes the
scopes `conv2d._1` and `conv2d_1._1`: what stands before the dot is the layer. tf2onnx numbers what it adds by what the
process did before (`Reshape__37`, `__inference_classify_317`): those numbers are counted anew or dropped, so that the
same conversion gives the same bytes.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convert.graph import onnx_nodes

if TYPE_CHECKING:
    import keras
    import onnx

_MARK = "."
_LAYER = r"(\w[^/;\"\s]*)\.(?:_\d+)?"
_MARKED = re.compile(_LAYER + "(?=[/;:]|$)")
_SCOPE = re.compile(_LAYER + "(?=/)")  # in running text, a dot at the end is no mark
_NUMBERED = re.compile(r"__(\d+)")


def mark_layers(model: "keras.Model") -> None:
    """Mark the names of all layers of `model`, those of sub-models too, once."""
    for layer in model._flatten_layers(include_self=False):
        if not layer.name.endswith(_MARK):
            layer.name += _MARK


def unmarked(name: str) -> str:
    """A layer's name as the user gave it."""
    return name.removesuffix(_MARK)


def layer_names(model: "keras.Model") -> list[str]:
    """Names of all layers of `model`, as the user gave them."""
    return [unmarked(layer.name) for layer in model._flatten_layers(include_self=False)]


def layer_channels(model: "keras.Model") -> dict[str, int]:
    """How many channels each layer of `model` gives: the last side of its output."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer._inbound_nodes]
    return {unmarked(layer.name): layer._inbound_nodes[0].output_tensors[0].shape[-1] for layer in layers}


def layer_of(name: str) -> str | None:
    """The Keras layer that a tensor or node of a converted model came from; None for what the converter added.

    A name that fuses several (`conv._1/Relu;conv._1/BiasAdd`) belongs to the first, innermost layer.
    """
    found = _MARKED.findall(name.split(";", maxsplit=1)[0])
    return found[-1] if found else None


def layer_in(text: str) -> str | None:
    """The Keras layer that a converter's error speaks of, if it names one."""
    found = _SCOPE.search(text)
    return found[1] if found else None


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
    bodies = [attribute.g for node in onnx_nodes(graph) for attribute in node.attribute if attribute.HasField("g")]
    return [graph, *bodies]


def _rename(graph: "onnx.GraphProto", renamed: Callable[[str], str]) -> None:
    """Give everything in a graph another name: nodes, values, constants, in the order of the graph."""
    for node in onnx_nodes(graph):
        node.name = renamed(node.name)
        node.input[:], node.output[:] = map(renamed, node.input), map(renamed, node.output)
    for each in _graphs(graph):
        for named in (*each.initializer, *each.value_info, *each.input, *each.output):
            named.name = renamed(named.name)


def _shared_constants(graph: "onnx.GraphProto") -> dict[str, str]:
    """Names by their first reader for constants that tf2onnx merged of several: numbered, and read more than once."""
    readings: dict[str, list[str]] = {each.name: [] for each in graph.initializer if _NUMBERED.search(each.name)}
    for node in onnx_nodes(graph):
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
