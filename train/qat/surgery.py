"""The definition of a graph, with operators of fake quantization put into it.

Each rounds to what integers of some bits can hold, and hands gradients on as if it did not (straight through).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from train.qat.kernels import LEAST_SIZE, Kernel


class Surgery:
    """A copy of a graph's definition that is changed."""

    def __init__(self, definition: Any) -> None:
        import tensorflow as tf

        self.definition = tf.compat.v1.GraphDef.FromString(definition.SerializeToString())
        self.nodes = {node.name: node for node in self.definition.node}
        self.rounded: dict[str, str] = {}

    def read(self, name: str) -> str:
        """The node that holds the rounded values of a node, or the node itself."""
        return self.rounded.get(name, name)

    def add(self, op: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Add a node."""
        node = self.definition.node.add(op=op, name=name, input=inputs)
        for key, value in attributes.items():
            _set(node.attr[key], value)
        self.nodes[name] = node
        return name

    def constant(self, name: str, value: Any) -> str:
        """Add a constant."""
        import tensorflow as tf

        node = self.definition.node.add(op="Const", name=name)
        proto = tf.make_tensor_proto(value)
        node.attr["value"].tensor.CopyFrom(proto)
        node.attr["dtype"].type = proto.dtype
        self.nodes[name] = node
        return name

    def as_input(self, name: str) -> str:
        """Turn a constant into an input of the function."""
        import tensorflow as tf

        node = self.nodes[name]
        shape = tf.make_ndarray(node.attr["value"].tensor).shape
        node.op = "Placeholder"
        del node.attr["value"]
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
        return name

    def input(self, name: str, *shape: int) -> str:
        """One more input of the function."""
        import tensorflow as tf

        node = self.definition.node.add(op="Placeholder", name=name)
        node.attr["dtype"].type = tf.float32.as_datatype_enum
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(shape).as_proto())
        return name

    def rewire(self, name: str, instead: str, readers: Sequence[Any]) -> None:
        """Let `readers` read another node."""
        for node in readers:
            for place, source in enumerate(node.input):
                if source in (name, f"{name}:0"):
                    node.input[place] = instead

    def round(self, name: str, low: str, high: str) -> None:
        """Round the output of a node to what int8 can hold."""
        readers = [node for node in self.definition.node if not node.name.startswith(f"{name}/rounded")]
        instead = self.add("FakeQuantWithMinMaxVars", f"{name}/rounded", name, low, high, num_bits=8)
        self.rewire(name, instead, readers)
        self.rounded[name] = instead

    def round_constant(self, name: str) -> None:
        """Round a tensor of numbers by its own least and largest value, zero among them."""
        readers = list(self.definition.node)
        ends = []
        for end, op, beyond in (("low", "Min", "Minimum"), ("high", "Max", "Maximum")):
            flat = self.add(
                "Reshape",
                f"{name}/{end}_flat",
                name,
                self.constant(f"{name}/{end}_shape", np.array([-1], np.int32)),
                T=np.float32,
            )
            extreme = self.add(
                op, f"{name}/{end}_extreme", flat, self.constant(f"{name}/{end}_axis", np.int32(0)), T=np.float32
            )
            ends.append(
                self.add(
                    beyond, f"{name}/{end}", extreme, self.constant(f"{name}/{end}_zero", np.float32(0)), T=np.float32
                )
            )
        instead = self.add("FakeQuantWithMinMaxVars", f"{name}/rounded", name, *ends, num_bits=8)
        self.rewire(name, instead, readers)

    def round_weights(self, kernel: Kernel, shape: Sequence[int], size: str = "") -> None:
        """Round the weights of a convolution or a matrix product, each output channel by its own size.

        Args:
            kernel: the node that reads them.
            shape: of the weights.
            size: the input that holds the size of each channel for 4 bits; without one 8 bits hold the largest weight.
        """
        node = self.nodes[kernel.node]
        node.input[1] = self._by_channel(node, shape, size)

    def split_strides(self, kernel: Kernel, shape: Sequence[int]) -> None:
        """Let a 1x1 convolution read only the pixels that its strides meet: see `train.fast_network`.

        Args:
            kernel: the node that reads weights.
            shape: of the weights.
        """
        node = self.nodes[kernel.node]
        if node.op != "Conv2D" or list(shape[:2]) != [1, 1] or max(node.attr["strides"].list.i) == 1:
            return
        name = f"{node.name}/pixels"
        ends = [self.constant(f"{name}/{end}", np.zeros(4, np.int32)) for end in ("begin", "end")]
        step = self.constant(f"{name}/step", np.array(node.attr["strides"].list.i, np.int32))
        whole = {"begin_mask": 15, "end_mask": 15}  # all four axes, from end to end
        node.input[0] = self.add(
            "StridedSlice", name, node.input[0], *ends, step, T=np.float32, Index=np.int32, **whole
        )
        node.attr["strides"].list.i[:] = [1, 1, 1, 1]

    def _by_channel(self, node: Any, shape: Sequence[int], size: str) -> str:
        source, name = node.input[1], f"{node.name}/weights"
        if node.op == "DepthwiseConv2dNative":
            flat = self.constant(f"{name}/flat", np.array([*shape[:2], shape[2] * shape[3]], np.int32))
            inner = self.add("Reshape", f"{name}/by_channel", source, flat, T=np.float32)
            back = self.constant(f"{name}/shape", np.array(shape, np.int32))
            return self.add("Reshape", name, self._rounded(inner, len(shape) - 1), back, T=np.float32)
        if node.op == "Conv2DBackpropInput" or (node.op == "MatMul" and node.attr["transpose_b"].b):
            order = np.array([*range(len(shape) - 2), len(shape) - 1, len(shape) - 2], np.int32)
            swap = self.constant(f"{name}/order", order)
            inner = self.add("Transpose", f"{name}/by_channel", source, swap, T=np.float32)
            return self.add("Transpose", name, self._rounded(inner, len(shape)), swap, T=np.float32)
        return self._rounded(source, len(shape), name, size)

    def _rounded(self, source: str, rank: int, name: str = "", size: str = "") -> str:
        name, bits = name or f"{source}/rounded", 4 if size else 8
        high = size or self._largest(source, rank, name)
        low = self.add("Neg", f"{name}/low", high, T=np.float32)
        return self.add("FakeQuantWithMinMaxVarsPerChannel", name, source, low, high, num_bits=bits, narrow_range=True)

    def _largest(self, source: str, rank: int, name: str) -> str:
        """The largest absolute value of each output channel."""
        size = self.add("Abs", f"{name}/size", source, T=np.float32)
        axes = self.constant(f"{name}/axes", np.arange(rank - 1, dtype=np.int32))
        largest = self.add("Max", f"{name}/largest", size, axes, T=np.float32)
        least = self.constant(f"{name}/least", np.float32(LEAST_SIZE))
        return self.add("Maximum", f"{name}/high", largest, least, T=np.float32)


def _set(attribute: Any, value: Any) -> None:
    import tensorflow as tf

    if isinstance(value, bool):
        attribute.b = value
    elif isinstance(value, int):
        attribute.i = value
    else:
        attribute.type = tf.dtypes.as_dtype(value).as_datatype_enum
