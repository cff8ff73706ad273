"""A Keras model as a function of its weights and of the ranges of its activations, rounded as TFLite rounds.

The model is traced as for a conversion. Into its graph go TensorFlow's operators of fake quantization: behind every
node that TFLite stores as int8, and before every convolution and matrix product that reads weights. Each rounds to what
int8 can hold, and hands gradients on as if it did not (straight through). Source: B. Jacob et al. (2018), "Quantization
and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from train.qat.plan import Tensor
from workstation.frozen_graph import function_of
from workstation.tflite_converter import traced
from workstation.tflite_ranges import Range, node_names

_LEAST = np.float32(1e-9)  # of a range: a channel of zeros has one too
_WEIGHTED = ("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul")  # the second input: weights


@dataclass(frozen=True)
class Rounded:
    """A node whose output TFLite stores as int8."""

    node: str
    tensor: Tensor


class Graph:
    """The graph of a model, with constants in place of its weights."""

    def __init__(self, model: keras.Model, plan: Sequence[Tensor]) -> None:
        """Trace the model, and find the nodes of the plan's tensors."""
        self.plan = plan
        concrete, self.constant = traced(model, batch=None)
        self.definition = self.constant.graph.as_graph_def()
        self.nodes = {node.name: node for node in self.definition.node}
        self.input = self.constant.inputs[0].op.name
        self.output = self.constant.outputs[0].op.name
        self.variables = self._variables(model, concrete)
        self.places = {node.name: place for place, node in enumerate(self.definition.node)}
        self.computed = self._computed()
        self.last = self._last()
        self.rounded = self._rounded(plan)

    def _variables(self, model: keras.Model, concrete: Any) -> dict[str, Any]:
        """By the name of a constant: the trainable variable of the model that it was."""
        handles = {id(variable.value.handle): variable for variable in model.trainable_variables}
        captures = zip(concrete.graph.internal_captures, concrete.graph.external_captures, strict=True)
        names = {inner.op.name: handles.get(id(outer)) for inner, outer in captures}
        return {name: variable for name, variable in names.items() if variable is not None and name in self.nodes}

    def _computed(self) -> set[str]:
        """The nodes that depend on the image."""
        computed = {self.input}
        for node in self.definition.node:  # a node stands behind those that it reads
            if any(_source(name) in computed for name in node.input):
                computed.add(node.name)
        return computed

    def _rounded(self, plan: Sequence[Tensor]) -> list[Rounded]:
        found: dict[str, Rounded] = {}
        for tensor in plan:
            node = {"input": self.input, "output": self.last}.get(tensor.end) or self._node(tensor)
            if node:
                found.setdefault(node, Rounded(node, tensor))
        return list(found.values())

    def _last(self) -> str:
        """The node that computes the output: identities hand it on."""
        name: str = self.output
        while (
            self.nodes[name].op in ("Identity", "Reshape", "Squeeze")
            and _source(self.nodes[name].input[0]) in self.computed
        ):
            name = _source(self.nodes[name].input[0])
        return name

    def _node(self, tensor: Tensor) -> str | None:
        """The node that writes what a tensor holds: the last of those that the tensor is named after."""
        names = [name for part in node_names(tensor.name) for name in (part, part.rstrip("0123456789"))]
        known = [name for name in names if name in self.nodes and (name in self.computed) != tensor.is_constant]
        return max(known, key=self.places.__getitem__, default=None)

    def function(self, outputs: Sequence[str], quantizes: bool = True, rounds_output: bool = True) -> Any:
        """A differentiable function of images, weights and ranges.

        Args:
            outputs: names of nodes.
            quantizes: whether it rounds; else ranges are unused.
            rounds_output: whether the output is rounded too.
        """
        import tensorflow as tf

        surgery = _Surgery(self)
        weights = [surgery.as_input(name) for name in self.variables]
        ranges = []
        if quantizes:
            surgery.round_weights()
            for rounded in self.rounded:
                if rounded.tensor.is_constant:
                    surgery.round_constant(rounded.node)
                else:
                    ends = surgery.range_inputs(rounded.node)
                    ranges += ends
                    if rounds_output or rounded.node != self.last:
                        surgery.round(rounded.node, *ends)
        inputs = [f"{name}:0" for name in (self.input, *weights, *ranges)]
        function = function_of(surgery.definition, inputs, [f"{surgery.read(name)}:0" for name in outputs])
        return lambda *arguments: function(*map(tf.convert_to_tensor, arguments))

    @property
    def still(self) -> set[int]:
        """The groups whose range no training may change: of softmax and its kin, and of the pixels."""
        return {
            rounded.tensor.group for rounded in self.rounded if rounded.tensor.is_fixed or rounded.node == self.input
        }

    def named(self, ranges: Sequence[Range]) -> dict[str, Range]:
        """The ranges of the activations by the names of all nodes that TFLite and ONNX may round by them."""
        groups = {rounded.tensor.group: ends for rounded, ends in zip(self.activations, ranges, strict=True)}
        known = [tensor for tensor in self.plan if tensor.group in groups and not tensor.is_constant]
        names = [(node_names(tensor.name), groups[tensor.group]) for tensor in known]
        first = {nodes[0]: ends for nodes, ends in names}
        return {node: ends for nodes, ends in names for node in nodes if node in self.computed} | first

    @property
    def activations(self) -> list[Rounded]:
        """The rounded nodes that depend on the image: each has a range."""
        return [rounded for rounded in self.rounded if not rounded.tensor.is_constant]


class _Surgery:
    """A copy of a graph's definition that is changed."""

    def __init__(self, graph: Graph) -> None:
        import tensorflow as tf

        self.graph = graph
        self.definition = tf.compat.v1.GraphDef.FromString(graph.definition.SerializeToString())
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

    def range_inputs(self, name: str) -> list[str]:
        """Two more inputs: the least and the largest value of a node."""
        import tensorflow as tf

        names = []
        for end in ("low", "high"):
            node = self.definition.node.add(op="Placeholder", name=f"{name}/{end}")
            node.attr["dtype"].type = tf.float32.as_datatype_enum
            node.attr["shape"].shape.CopyFrom(tf.TensorShape(()).as_proto())
            names.append(node.name)
        return names

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

    def round_weights(self) -> None:
        """Round the weights of convolutions and matrix products, each output channel by its own largest."""
        for node in list(self.definition.node):
            if node.op in _WEIGHTED and _source(node.input[1]) not in self.graph.computed:
                node.input[1] = self._by_channel(node)

    def _by_channel(self, node: Any) -> str:
        source, name = node.input[1], f"{node.name}/weights"
        shape = _shape(self.graph.constant.graph, _source(source))
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
        return self._rounded(source, len(shape), name)

    def _rounded(self, source: str, rank: int, name: str = "") -> str:
        name = name or f"{source}/rounded"
        size = self.add("Abs", f"{name}/size", source, T=np.float32)
        axes = self.constant(f"{name}/axes", np.arange(rank - 1, dtype=np.int32))
        largest = self.add("Max", f"{name}/largest", size, axes, T=np.float32)
        high = self.add("Maximum", f"{name}/high", largest, self.constant(f"{name}/least", _LEAST), T=np.float32)
        low = self.add("Neg", f"{name}/low", high, T=np.float32)
        return self.add("FakeQuantWithMinMaxVarsPerChannel", name, source, low, high, num_bits=8, narrow_range=True)


def _set(attribute: Any, value: Any) -> None:
    import tensorflow as tf

    if isinstance(value, bool):
        attribute.b = value
    elif isinstance(value, int):
        attribute.i = value
    else:
        attribute.type = tf.dtypes.as_dtype(value).as_datatype_enum


def _source(name: str) -> str:
    return name.lstrip("^").split(":")[0]


def _shape(graph: Any, name: str) -> list[int]:
    shape: list[int] = graph.get_tensor_by_name(f"{name}:0").shape.as_list()
    return shape
