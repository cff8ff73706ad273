"""A model as one graph of constants in float32: what both converters start from.

Keras leaves in a graph what converters stumble over: layers of a captured constant (`Normalization`), functions for XLA
(grouped convolutions), float16 (models trained with `mixed_float16`). All of that goes here, in one place.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from convert.layer_names import layer_in
from edgecnn.errors import EdgecnnError

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
    """The same function, its weights and captured values constants, float32 throughout, without functions for XLA.

    Args:
        function: a ConcreteFunction.

    Returns:
        A ConcreteFunction that takes what is no constant.

    Raises:
        EdgecnnError: it answers at random.
    """
    made = _with_constants(function)
    graph = made.graph.as_graph_def()
    if _in_float32(graph) | _for_no_compiler(graph):
        made = _with_constants(_function(graph, made))
        graph = made.graph.as_graph_def()
    _check_certain(graph)
    return made


@contextmanager
def unrolled(model: "keras.Model", wanted: bool = True) -> Iterator[None]:
    """Within, recurrent layers are traced step by step: quantizers see nothing of a loop's body, and may die of it."""
    layers = [layer for layer in model._flatten_layers() if wanted and hasattr(layer, "unroll")]
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


def _function(graph: Any, like: Any) -> Any:
    """A function of a changed graph, with the ends of the one it came from."""
    from tensorflow.python.eager import wrap_function

    _rename_functions(graph)  # TensorFlow knows those of the same names
    names = ([tensor.name for tensor in ends] for ends in (like.inputs, like.outputs))
    made = wrap_function.function_from_graph_def(graph, *names)
    for tensor, original in zip(made.inputs, like.inputs, strict=True):
        tensor.set_shape(original.shape)
    return made


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


def _for_no_compiler(graph: Any) -> bool:
    """Take out the marks that keep functions from being inlined; whether there were any."""
    marked = [each for each in (*_nodes(graph), *graph.library.function) if _COMPILED in each.attr]
    for each in marked:
        del each.attr[_COMPILED]
    return bool(marked)


def _in_float32(graph: Any) -> bool:
    """Turn float16 and bfloat16 into float32 wherever they stand; whether there were any."""
    import tensorflow as tf
    from tensorflow.core.framework import types_pb2

    halves = {types_pb2.DT_HALF, types_pb2.DT_BFLOAT16}
    changed = False
    for value in (value for node in _nodes(graph) for value in node.attr.values()):
        for place, kind in enumerate(value.list.type):
            if kind in halves:
                value.list.type[place], changed = types_pb2.DT_FLOAT, True
        if value.type in halves:
            value.type, changed = types_pb2.DT_FLOAT, True
        if value.HasField("tensor") and value.tensor.dtype in halves:
            array = tf.make_ndarray(value.tensor).astype(np.float32)
            value.tensor.CopyFrom(tf.make_tensor_proto(array, shape=array.shape))
            changed = True
    for function in graph.library.function:
        for end in (*function.signature.input_arg, *function.signature.output_arg):
            if end.type in halves:
                end.type, changed = types_pb2.DT_FLOAT, True
    return changed


def _check_certain(graph: Any) -> None:
    """Refuse a model that answers the same image otherwise each time."""
    for node in _nodes(graph):
        if _RANDOM.search(node.op):
            layer = layer_in(node.name)
            where = f"layer {layer!r}" if layer else node.op
            raise EdgecnnError(f"the model answers at random: {where} is called with training=True; leave it out")
