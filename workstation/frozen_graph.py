"""A Keras model as one TensorFlow graph of constants in float32: the input of both converters.

Keras leaves in a graph what converters cannot handle: layers of a captured constant (`Normalization`), functions for
XLA (grouped convolutions), float16 (models trained with `mixed_float16`). This module removes all of it.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.errors import EdgecnnError
from workstation.layer_names import layer_in

if TYPE_CHECKING:
    import keras

_COMPILED = "_XlaMustCompile"  # such a function is not inlined
_RANDOM = re.compile(r"Random|Multinomial|TruncatedNormal|Stateful(Uniform|StandardNormal)|RngReadAndSkip")


def with_fixed_batch(model: "keras.Model", batch: int | None = 1) -> "keras.Model":
    """The same model for batches of one size, at inference: layers that augment images pass them through.

    None leaves the batch open; tflite-runtime then runs without XNNPACK.
    """
    import keras

    inputs = keras.Input(batch_shape=(batch, *model.inputs[0].shape[1:]), name="image")
    return keras.Model(inputs, model(inputs, training=False), name="edge")


def frozen(function: Any) -> Any:
    """A ConcreteFunction with its weights and captured values as constants, in float32, without functions for XLA.

    Raises:
        EdgecnnError: it answers the same image otherwise each time.
    """
    constant = _with_constants(function)
    graph = constant.graph.as_graph_def()
    if _to_float32(graph) | _drop_compiler_marks(graph):
        constant = _with_constants(_function(graph, constant))
        graph = constant.graph.as_graph_def()
    _check_deterministic(graph)
    return constant


@contextmanager
def unrolled(model: "keras.Model", is_wanted: bool = True) -> Iterator[None]:
    """Within, recurrent layers are traced step by step: quantizers do not see into a loop's body, and may die of it."""
    layers = [layer for layer in model._flatten_layers() if is_wanted and hasattr(layer, "unroll")]
    before = [layer.unroll for layer in layers]
    try:
        for layer in layers:
            layer.unroll = True
        yield
    finally:
        for layer, unroll in zip(layers, before, strict=True):
            layer.unroll = unroll


def _with_constants(function: Any) -> Any:
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)


def _function(graph: Any, original: Any) -> Any:
    """A function of a changed graph, with the inputs and outputs of the original function."""
    names = ([tensor.name for tensor in tensors] for tensors in (original.inputs, original.outputs))
    function = function_of(graph, *names)
    for tensor, original_tensor in zip(function.inputs, original.inputs, strict=True):
        tensor.set_shape(original_tensor.shape)
    return function


def function_of(graph: Any, inputs: list[str], outputs: list[str]) -> Any:
    """A GraphDef as a function of some of its tensors, by their names; it may change the GraphDef."""
    from tensorflow.python.eager import wrap_function

    _rename_functions(graph)  # TensorFlow has functions of the same names already
    return wrap_function.function_from_graph_def(graph, inputs, outputs)


def _rename_functions(graph: Any) -> None:
    names = {function.signature.name: f"{function.signature.name}_plain" for function in graph.library.function}
    for function in graph.library.function:
        function.signature.name = names[function.signature.name]
    for node in _nodes(graph):
        node.op = names.get(node.op, node.op)
        for value in node.attr.values():
            for called in [value.func] if value.HasField("func") else value.list.func:
                called.name = names.get(called.name, called.name)


def _nodes(graph: Any) -> list[Any]:
    """All nodes of a GraphDef, those of its functions too."""
    return [*graph.node, *(node for function in graph.library.function for node in function.node_def)]


def _drop_compiler_marks(graph: Any) -> bool:
    """Remove the marks that keep functions from being inlined; returns whether there were any."""
    marked = [owner for owner in (*_nodes(graph), *graph.library.function) if _COMPILED in owner.attr]
    for owner in marked:
        del owner.attr[_COMPILED]
    return bool(marked)


def _to_float32(graph: Any) -> bool:
    """Turn float16 and bfloat16 into float32 wherever they stand; returns whether there were any."""
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    halves = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
    changed = False
    for value in (value for node in _nodes(graph) for value in node.attr.values()):
        for place, dtype in enumerate(value.list.type):
            if dtype in halves:
                value.list.type[place], changed = types_pb2.DT_FLOAT, True
        if value.type in halves:
            value.type, changed = types_pb2.DT_FLOAT, True
        if value.HasField("tensor") and value.tensor.dtype in halves:
            array = tf.make_ndarray(value.tensor).astype(np.float32)
            value.tensor.CopyFrom(tf.make_tensor_proto(array, shape=array.shape))
            changed = True
    for function in graph.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            if argument.type in halves:
                argument.type, changed = types_pb2.DT_FLOAT, True
    return changed


def _check_deterministic(graph: Any) -> None:
    """Refuse a model that answers the same image otherwise each time."""
    for node in _nodes(graph):
        if _RANDOM.search(node.op):
            layer = layer_in(node.name)
            where = f"layer {layer!r}" if layer else node.op
            raise EdgecnnError(f"the model answers at random: {where} is called with training=True; leave it out")
