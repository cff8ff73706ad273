"""A rewrite of ONNX graphs: raw pixels are not scaled one by one, before the first layer, but by that layer.

`onnx_from_keras` gives a graph that turns the pixels into float32 and multiplies them by their scale. In float the
first convolution's weights are multiplied instead: W (s x) = (s W) x. In int8 the quantizer has made five steps of it
(quantize, dequantize, multiply, quantize, dequantize), at whose end stands, of a pixel p, again p or p - 128: the
bytes of an image are then taken for that as they are, and what the first layer computes on is the same.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from convert.formats.onnx_graph import all_nodes
from edgecnn.pixels import LEVELS

_KEEPING = ("Slice", "Reshape", "Transpose", "Squeeze", "Unsqueeze")  # move values, and leave them as they are


def merge_pixel_scale(model: bytes) -> bytes | None:
    """The same model, without the steps that scale pixels; None where it has no such steps, or cannot do without.

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
    data: bytes = graph.proto.SerializeToString(deterministic=True)
    return data


class _Graph:
    """A ModelProto with its constants and readers at hand."""

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self.constants = {each.name: each for each in proto.graph.initializer}

    def _nodes(self) -> list[Any]:
        return list(all_nodes(self.proto.graph))

    def only_reader(self, name: str) -> Any:
        """The one node that reads a value; None where there are none or several, or it is in the body of a loop."""
        readers = [node for node in self._nodes() if name in node.input]
        return readers[0] if len(readers) == 1 and readers[0] in self.proto.graph.node else None

    def value(self, name: str) -> npt.NDArray[Any] | None:
        """A constant's value, dequantized if it is stored quantized; None for what is computed."""
        from onnx import numpy_helper

        if name in self.constants:
            found: npt.NDArray[Any] = numpy_helper.to_array(self.constants[name])
            return found
        maker = next((node for node in self.proto.graph.node if name in node.output), None)
        if maker is None or maker.op_type != "DequantizeLinear":
            return None
        stored, scale, zero = (self.value(each) for each in maker.input)
        if stored is None or scale is None or zero is None:
            return None
        return (stored.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)

    def store(self, name: str, value: npt.NDArray[Any]) -> None:
        """Give a constant another value."""
        from onnx import numpy_helper

        self.constants[name].CopyFrom(numpy_helper.from_array(value, name))

    def bypass(self, node: Any, source: str) -> None:
        """Let the readers of a node read `source` instead, and take the node out."""
        for reader in self._nodes():
            reader.input[:] = [source if name == node.output[0] else name for name in reader.input]
        self.proto.graph.node.remove(node)

    def drop_unread(self) -> None:
        """Take out nodes and constants that nobody reads any more."""
        graph = self.proto.graph
        read = self._read()
        while unread := [node for node in graph.node if not read & set(node.output)]:
            for node in unread:
                graph.node.remove(node)
            read = self._read()
        for each in [each for each in graph.initializer if each.name not in read]:
            graph.initializer.remove(each)

    def _read(self) -> set[str]:
        """The names of all values that are read, or given."""
        return {each.name for each in self.proto.graph.output} | {name for node in self._nodes() for name in node.input}


def _into_weights(graph: _Graph, multiply: Any) -> bool:
    """In float: multiply the first convolution's weights by the pixels' scale instead."""
    if multiply.op_type != "Mul":
        return False
    scale = graph.value(multiply.input[1])
    node = graph.only_reader(multiply.output[0])
    while node is not None and node.op_type in _KEEPING:
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
    """In int8: take the pixels' bytes for the integers that the first layer computes on."""
    chain = [quantize]
    for kind in ("DequantizeLinear", "Mul", "QuantizeLinear"):
        node = graph.only_reader(chain[-1].output[0])
        if node is None or node.op_type != kind:
            return False
        chain.append(node)
    first, _, multiply, last = chain
    scale, steps = graph.value(multiply.input[1]), [graph.value(name) for name in (*first.input[1:], *last.input[1:])]
    if scale is None or scale.size != 1 or any(each is None or each.size != 1 for each in steps):
        return False
    integers = _quantized(float(scale.reshape(())), *steps)  # type: ignore[arg-type]
    zero_point = int(steps[3])  # type: ignore[arg-type]
    if (integers - zero_point != np.arange(LEVELS)).any() or not _is_of_quantizing(graph, last.input[2]):
        return False
    graph.store(last.input[2], np.array(0, np.uint8))
    graph.bypass(last, graph.proto.graph.input[0].name)
    return True


def _quantized(scale: float, *steps: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """What the chain makes of each pixel value: quantize, dequantize, multiply, quantize, all in float32."""
    values = np.arange(LEVELS, dtype=np.float32)
    for factor, (step, zero) in ((np.float32(scale), steps[:2]), (None, steps[2:])):
        bounds = np.iinfo(zero.dtype)
        integers = (np.rint(values / step) + zero.astype(np.float32)).clip(bounds.min, bounds.max)
        if factor is not None:
            values = (integers - zero.astype(np.float32)) * step * factor
    found: npt.NDArray[np.int64] = integers.astype(np.int64)
    return found


def _is_of_quantizing(graph: _Graph, zero_point: str) -> bool:
    """Whether only steps of quantizing read a zero point: then it may be another one for all of them."""
    readers = [node.op_type for node in all_nodes(graph.proto.graph) if zero_point in node.input]
    return all(kind in ("QuantizeLinear", "DequantizeLinear") for kind in readers)
