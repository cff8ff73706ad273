"""A Keras model as a function of its weights and of the ranges of its activations, rounded as TFLite rounds.

The model is traced as for a conversion. Into its graph go TensorFlow's operators of fake quantization: behind every
node that TFLite stores as int8, and before every convolution and matrix product that reads weights. Each rounds to what
int8 can hold, and hands gradients on as if it did not (straight through). Weights may have 4 bits. Source: B. Jacob et
al. (2018), "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from train.qat.kernels import coarse_variables, kernels_of, source_of
from train.qat.plan import Tensor
from train.qat.surgery import Surgery
from workstation.frozen_graph import function_of
from workstation.quantization_aware import FEW_BITS
from workstation.tflite_converter import traced
from workstation.tflite_ranges import Range, node_names


@dataclass(frozen=True)
class Rounded:
    """A node whose output TFLite stores as int8."""

    node: str
    tensor: Tensor


class Graph:
    """The graph of a model, with constants in place of its weights."""

    def __init__(self, model: keras.Model, plan: Sequence[Tensor], bits: int = 8, everything: bool = False) -> None:
        """Trace the model, and find the nodes of the plan's tensors.

        Args:
            model: a classifier.
            plan: its int8 tensors.
            bits: of weights, 8 or 4.
            everything: whether the first and the last layer have 4 too.
        """
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
        self.kernels = kernels_of(self.definition, self.computed)
        self.coarse = coarse_variables(self.kernels, self.variables, everything) if bits == FEW_BITS else []

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
            if any(source_of(name) in computed for name in node.input):
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
            and source_of(self.nodes[name].input[0]) in self.computed
        ):
            name = source_of(self.nodes[name].input[0])
        return name

    def _node(self, tensor: Tensor) -> str | None:
        """The node that writes what a tensor holds: the last of those that the tensor is named after."""
        names = [name for part in node_names(tensor.name) for name in (part, part.rstrip("0123456789"))]
        known = [name for name in names if name in self.nodes and (name in self.computed) != tensor.is_constant]
        return max(known, key=self.places.__getitem__, default=None)

    def function(self, outputs: Sequence[str], quantizes: bool = True, rounds_output: bool = True) -> Any:
        """A differentiable function of images, weights, ranges, and the sizes of the weights of 4 bits.

        Args:
            outputs: names of nodes.
            quantizes: whether it rounds; else it takes images and weights alone.
            rounds_output: whether the output is rounded too.
        """
        import tensorflow as tf

        surgery = Surgery(self.definition)
        inputs = [self.input, *(surgery.as_input(name) for name in self.variables)]
        for kernel in self.kernels:
            surgery.split_strides(kernel, self.shape(kernel.weights))
        if quantizes:
            sizes = {name: surgery.input(f"{name}/bound", self.shape(name)[-1]) for name in self.coarse}
            for kernel in self.kernels:
                surgery.round_weights(kernel, self.shape(kernel.weights), sizes.get(kernel.constant, ""))
            inputs += [*self._round_values(surgery, rounds_output), *sizes.values()]
        names = [f"{surgery.read(name)}:0" for name in outputs]
        function = function_of(surgery.definition, [f"{name}:0" for name in inputs], names)
        return lambda *arguments: function(*map(tf.convert_to_tensor, arguments))

    def _round_values(self, surgery: Surgery, rounds_output: bool) -> list[str]:
        """Round activations and constants; returns the inputs that hold the ranges."""
        ranges = []
        for rounded in self.rounded:
            if rounded.tensor.is_constant:
                surgery.round_constant(rounded.node)
            else:
                ends = [surgery.input(f"{rounded.node}/{end}") for end in ("low", "high")]
                ranges += ends
                if rounds_output or rounded.node != self.last:
                    surgery.round(rounded.node, *ends)
        return ranges

    def shape(self, name: str) -> list[int]:
        """The shape of what a node writes."""
        shape: list[int] = self.constant.graph.get_tensor_by_name(f"{name}:0").shape.as_list()
        return shape

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
