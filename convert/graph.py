"""What is in a converted model: operators, parameters, and how much of it is int8."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_INTEGER_OPS = {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}
_ONNX_PLUMBING = {"QuantizeLinear", "DequantizeLinear"}


@dataclass(frozen=True)
class Facts:
    """What is in a model."""

    operators: int
    parameters: int
    integer_share: float  # share of the operators that compute on int8 or int16
    opset: int | None = None  # of ONNX


def facts(model_format: str, payload: bytes) -> Facts:
    """Count a `.tflite` or `.onnx` model's operators and parameters."""
    return _tflite_facts(payload) if model_format == "tflite" else _onnx_facts(payload)


def onnx_nodes(graph: Any) -> Iterator[Any]:
    """All nodes of an ONNX graph in their order, those of the bodies of its loops and branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from onnx_nodes(body)


def _tflite_facts(payload: bytes) -> Facts:
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(payload, 0))
    integers = {schema.TensorType.INT8, schema.TensorType.INT16}

    def is_parameter(tensor: Any) -> bool:
        constant = model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data)
        shape_vector = tensor.type in (schema.TensorType.INT32, schema.TensorType.INT64) and not _scaled(tensor)
        return bool(constant) and not shape_vector

    quantized = [
        all(graph.tensors[place].type in integers for place in op.outputs)
        for graph in model.subgraphs  # the bodies of loops are graphs of their own
        for op in graph.operators
    ]
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors if is_parameter(tensor)]
    parameters = sum(math.prod(() if tensor.shape is None else map(int, tensor.shape)) for tensor in tensors)
    return Facts(len(quantized), parameters, sum(quantized) / len(quantized))


def _scaled(tensor: Any) -> bool:
    return tensor.quantization is not None and tensor.quantization.scale is not None


def _onnx_facts(payload: bytes) -> Facts:
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
    return Facts(len(computing), parameters, sum(map(is_integer, computing)) / len(computing), opset)
