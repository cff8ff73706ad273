"""What is in an ONNX model: its operators, its layers, the values of its tensors, its bytes."""

import math
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.contents import Contents
from edgecnn.interpreters import TensorSpec
from workstation.layer_names import by_layer
from workstation.tflite_ranges import OUTPUT, Range

PIXELS = "pixels"  # the input's name
_FUSED = re.compile(r"(_Gemm)?(__\d+)?:0$")  # tf2onnx adds it to the name of a node
_INTEGER_OPERATORS = {"ConvInteger", "MatMulInteger", "DynamicQuantizeLinear"}
_QUANTIZING = {"QuantizeLinear", "DequantizeLinear"}  # compute nothing of the network's own


def serialised(proto: Any) -> bytes:
    """The bytes of a ModelProto, the same for the same content."""
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def all_nodes(graph: Any) -> Iterator[Any]:
    """All nodes of an ONNX graph in their order, those of the bodies of its loops and branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from all_nodes(body)


def contents(model: bytes) -> Contents:
    """Count the operators and parameters of a serialised ModelProto."""
    import onnx

    proto = onnx.load_from_string(model)
    nodes = list(all_nodes(proto.graph))
    writers = {output: node.op_type for node in nodes for output in node.output}
    constants = {constant.name: constant for constant in proto.graph.initializer}
    scales = {name for node in nodes if node.op_type in _QUANTIZING for name in node.input[1:]}
    shapes = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL)
    parameters = [
        math.prod(constant.dims)
        for name, constant in constants.items()
        if constant.data_type not in shapes and name not in scales
    ]
    operators = [_is_integer(node, writers, constants) for node in nodes if node.op_type not in _QUANTIZING]
    opset = next(version.version for version in proto.opset_import if not version.domain)
    return Contents(len(operators), sum(parameters), sum(operators) / len(operators), opset)


def _is_integer(node: Any, writers: dict[str, str], constants: Collection[str]) -> bool:
    """Whether a node computes on integers: its inputs, but for constants, are all dequantized."""
    inputs = [name for name in node.input if name and name not in constants]
    dequantized = bool(inputs) and all(writers.get(name) == "DequantizeLinear" for name in inputs)
    return node.op_type in _INTEGER_OPERATORS or dequantized


def layer_nodes(model: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of its nodes."""
    import onnx

    return by_layer([(node.name, node.name) for node in onnx.load_from_string(model).graph.node])


def layer_tensors(model: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of the tensors that its nodes write; the last is the layer's output."""
    import onnx

    return by_layer([(node.name, node.output[0]) for node in onnx.load_from_string(model).graph.node])


def quantized_tensors(model: bytes) -> dict[str, tuple[str, TensorSpec]]:
    """By the name of a float tensor: the tensor that QuantizeLinear writes of it, and how that is quantized."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(model).graph
    constants = {constant.name: constant for constant in graph.initializer}
    quantized = {}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants:
            scale, zero_point = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
            spec = TensorSpec((), zero_point.dtype, float(scale), int(zero_point))
            quantized[node.input[0].removesuffix("_DequantizeLinear_Output")] = (node.output[0], spec)
    return quantized


def named_ranges(model: bytes, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """Ranges by the names that tensors have in ONNX, from those that they have in TFLite (`tflite_ranges`)."""
    import onnx

    graph = onnx.load_from_string(model).graph
    names = {output: _FUSED.sub("", output) for node in graph.node for output in node.output}
    names |= {output.name: OUTPUT for output in graph.output}
    return {output: ranges[name] for output, name in names.items() if name in ranges}


def tensor_values(model: bytes, names: list[str], images: npt.NDArray[np.uint8]) -> list[npt.NDArray[Any]]:
    """Run a model over raw pixels, (n, height, width, channels), and give the values of the tensors `names`."""
    import onnx
    import onnxruntime

    proto = onnx.load_from_string(model)
    outputs = {output.name for output in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in outputs)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    by_image = [session.run(names, {PIXELS: image[np.newaxis]}) for image in images]
    return [np.concatenate(values) for values in zip(*by_image, strict=True)]
