"""The rewrite `pixels` of ONNX graphs: the first layer scales raw pixels, and not a step before it.

`onnx_from_keras` gives a graph that turns the pixels into float32 and multiplies them by their scale. In float the
first convolution's weights are multiplied instead: W (s x) = (s W) x. In int8 the quantizer turns that step into five
(quantize, dequantize, multiply, quantize, dequantize), whose integers for a pixel p are p or p - 128. The bytes of the
image replace these integers, with the zero point 0, and the first layer computes on the same values.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from convert.formats.onnx_graph import all_nodes, serialised
from edgecnn.pixels import LEVELS

_MOVING = ("Slice", "Reshape", "Transpose", "Squeeze", "Unsqueeze")  # move values, and do not change them


def merge_pixel_scale(model: bytes) -> bytes | None:
    """The same model without the steps that scale pixels; None where it has no such steps, or needs them.

    Args:
        model: a serialised ModelProto as `onnx_from_keras` or `quantize_static` gives it.
    """
    import onnx

    graph = _Graph(onnx.load_from_string(model))
    cast = graph.only_reader(graph.proto.graph.input[0].name)
    if cast is None or cast.op_type != "Cast":
        return None
    follower = graph.only_reader(cast.output[0])
    if follower is None:
        return None
    merged = _into_bytes(graph, follower) if follower.op_type == "QuantizeLinear" else _into_weights(graph, follower)
    if not merged:
        return None
    graph.drop_unread()
    onnx.checker.check_model(graph.proto, full_check=True)
    return serialised(graph.proto)


class _Graph:
    """A ModelProto with its constants and readers at hand."""

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.constants = {constant.name: constant for constant in proto.graph.initializer}

    def _nodes(self) -> list[Any]:
        return list(all_nodes(self.proto.graph))

    def only_reader(self, name: str) -> Any:
        """The one node that reads a value; None where there are none or several, or it is in the body of a loop."""
        readers = [node for node in self._nodes() if name in node.input]
        return readers[0] if len(readers) == 1 and readers[0] in self.proto.graph.node else None

    def value(self, name: str) -> npt.NDArray[Any] | None:
        """A constant's value, dequantized if it is stored quantized; None for a computed value."""
        from onnx import numpy_helper

        if name in self.constants:
            constant: npt.NDArray[Any] = numpy_helper.to_array(self.constants[name])
            return constant
        writer = next((node for node in self.proto.graph.node if name in node.output), None)
        if writer is None or writer.op_type != "DequantizeLinear":
            return None
        stored, scale, zero_point = (self.value(source) for source in writer.input)
        if stored is None or scale is None or zero_point is None:
            return None
        return (stored.astype(np.float32) - zero_point.astype(np.float32)) * scale.astype(np.float32)

    def store(self, name: str, value: npt.NDArray[Any]) -> None:
        """Give a constant another value."""
        from onnx import numpy_helper

        self.constants[name].CopyFrom(numpy_helper.from_array(value, name))

    def bypass(self, node: Any, source: str) -> None:
        """Let the readers of a node read `source` instead, and remove the node."""
        for reader in self._nodes():
            reader.input[:] = [source if name == node.output[0] else name for name in reader.input]
        self.proto.graph.node.remove(node)

    def drop_unread(self) -> None:
        """Remove nodes and constants that no node reads any more."""
        graph = self.proto.graph
        read = self._read()
        while unread := [node for node in graph.node if not read & set(node.output)]:
            for node in unread:
                graph.node.remove(node)
            read = self._read()
        for constant in [constant for constant in graph.initializer if constant.name not in read]:
            graph.initializer.remove(constant)

    def _read(self) -> set[str]:
        """The names of all values that are read, or are outputs of the model."""
        outputs = {output.name for output in self.proto.graph.output}
        return outputs | {name for node in self._nodes() for name in node.input}


def _into_weights(graph: _Graph, multiply: Any) -> bool:
    """In float: multiply the first convolution's weights by the pixels' scale instead."""
    if multiply.op_type != "Mul":
        return False
    scale = graph.value(multiply.input[1])
    node = graph.only_reader(multiply.output[0])
    while node is not None and node.op_type in _MOVING:
        node = graph.only_reader(node.output[0])
    if scale is None or scale.size != 1 or node is None or node.op_type != "Conv":
        return False
    weights = graph.value(node.input[1])
    if weights is None or node.input[1] not in graph.constants or graph.only_reader(node.input[1]) is None:
        return False
    graph.store(node.input[1], weights * np.float32(scale.reshape(())))
    graph.bypass(multiply, multiply.input[0])
    return True


def _into_bytes(graph: _Graph, quantize: Any) -> bool:
    """In int8: let the first layer read the pixels' bytes, where they are the integers that it reads now."""
    nodes = [quantize]
    for operator in ("DequantizeLinear", "Mul", "QuantizeLinear"):
        node = graph.only_reader(nodes[-1].output[0])
        if node is None or node.op_type != operator:
            return False
        nodes.append(node)
    first, _, multiply, last = nodes
    names = (multiply.input[1], *first.input[1:], *last.input[1:])
    constants = [value for name in names if (value := graph.value(name)) is not None and value.size == 1]
    if len(constants) < len(names):
        return False
    scale, *quantizations = constants
    integers = _quantized(float(scale.reshape(())), *quantizations)
    zero_point = int(quantizations[3])
    if (integers - zero_point != np.arange(LEVELS)).any() or not _is_zero_point_alone(graph, last.input[2]):
        return False
    graph.store(last.input[2], np.array(0, np.uint8))
    graph.bypass(last, graph.proto.graph.input[0].name)
    return True


def _quantized(
    factor: float,
    first_scale: npt.NDArray[Any],
    first_zero_point: npt.NDArray[Any],
    last_scale: npt.NDArray[Any],
    last_zero_point: npt.NDArray[Any],
) -> npt.NDArray[np.int64]:
    """The integers for each pixel value: quantized, dequantized, multiplied, quantized again, all in float32."""
    pixels = np.arange(LEVELS, dtype=np.float32)
    integers = _quantize(pixels, first_scale, first_zero_point)
    values = (integers - first_zero_point.astype(np.float32)) * first_scale * np.float32(factor)
    return _quantize(values, last_scale, last_zero_point).astype(np.int64)


def _quantize(
    values: npt.NDArray[np.float32], scale: npt.NDArray[Any], zero_point: npt.NDArray[Any]
) -> npt.NDArray[Any]:
    bounds = np.iinfo(zero_point.dtype)
    integers: npt.NDArray[Any] = np.rint(values / scale) + zero_point.astype(np.float32)
    return integers.clip(bounds.min, bounds.max)


def _is_zero_point_alone(graph: _Graph, zero_point: str) -> bool:
    """Whether only QuantizeLinear and DequantizeLinear read a constant: then it may change for all of them."""
    readers = [node.op_type for node in all_nodes(graph.proto.graph) if zero_point in node.input]
    return all(kind in ("QuantizeLinear", "DequantizeLinear") for kind in readers)
