"""What is in an ONNX model: its nodes, its layers, its bytes."""

import math
from collections.abc import Iterator
from typing import Any

from convert.contents import Contents
from convert.layer_names import by_layer

PIXELS = "pixels"  # the input's name
_INTEGER_OPS = {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}
_ONNX_PLUMBING = {"QuantizeLinear", "DequantizeLinear"}


def onnx_nodes(graph: Any) -> Iterator[Any]:
    """All nodes of an ONNX graph in their order, those of the bodies of its loops and branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from onnx_nodes(body)


def onnx_layers(model: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of its nodes."""
    import onnx

    return by_layer([(node.name, node.name) for node in onnx.load_from_string(model).graph.node])


def onnx_outputs(model: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of the tensors that its nodes write."""
    import onnx

    return by_layer([(node.name, node.output[0]) for node in onnx.load_from_string(model).graph.node])


def serialised(proto: Any) -> bytes:
    """The bytes of a ModelProto, the same for the same content."""
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def onnx_contents(payload: bytes) -> Contents:
    """Count the operators and parameters of a serialised ModelProto."""
    import onnx

    model = onnx.load_from_string(payload)
    nodes = list(onnx_nodes(model.graph))
    by_output = {output: node.op_type for node in nodes for output in node.output}
    constants = {each.name: each for each in model.graph.initializer}
    steps = {name for node in nodes if node.op_type in _ONNX_PLUMBING for name in node.input[1:]}
    kinds = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
    parameters = sum(
        math.prod(each.dims) for each in constants.values() if each.data_type not in kinds and each.name not in steps
    )
    computing = [node for node in nodes if node.op_type not in _ONNX_PLUMBING]

    def is_integer(node: Any) -> bool:
        values = [name for name in node.input if name and name not in constants]
        dequantized = bool(values) and all(by_output.get(name) == "DequantizeLinear" for name in values)
        return node.op_type in _INTEGER_OPS or dequantized

    opset = next(each.version for each in model.opset_import if not each.domain)
    return Contents(len(computing), parameters, sum(map(is_integer, computing)) / len(computing), opset)
