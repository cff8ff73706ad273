"""Convert a Keras model to ONNX, raw pixels in; the outputs of its layers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.contents import LayerOutput
from convert.formats.onnx_canonical import make_canonical, merge_duplicates_in_order
from convert.formats.onnx_graph import (
    PIXELS,
    layer_nodes,
    layer_tensors,
    named_ranges,
    quantized_tensors,
    serialised,
    tensor_values,
)
from convert.formats.onnx_quantize import prepared, quantize_dynamic, quantize_static, to_float16
from convert.parent import Parent
from convert.variant import Variant
from edgecnn.manifest import Input
from workstation.frozen_graph import frozen, unrolled, with_fixed_batch
from workstation.layer_names import layer_channels, marked

if TYPE_CHECKING:
    import keras

OPSET = 18


def convert(parent: Parent, variant: Variant) -> bytes:
    """Convert a model to a serialised ModelProto, without its manifest."""
    model = onnx_from_keras(parent.model, parent.manifest.input, variant.batch)
    if variant.is_integer:
        nodes = layer_nodes(prepared(model)) if variant.kept else {}
        excluded = [node for layer in variant.kept for node in nodes.get(layer, [])]
        trained = parent.manifest.trained_ranges
        ranges = named_ranges(prepared(model), trained.ends) if trained else {}
        return quantize_static(model, parent.calibration.images, variant, excluded, ranges)
    if variant.weights == "float16":
        return to_float16(model)
    return model if variant.weights == "float32" else quantize_dynamic(model)


def onnx_from_keras(model: "keras.Model", entry: Input, batch: int | None = 1) -> bytes:
    """Convert a Keras model to float32 ONNX with the pixels' scale inside the graph.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        entry: how a raw pixel becomes an input value.
        batch: the fixed batch; None leaves it open.

    Returns:
        A serialised ModelProto of opset `OPSET`. Its input `pixels` is uint8, (batch, height, width, channels).

    Raises:
        Exception: whatever tf2onnx raises for a model that it cannot convert.
    """
    import onnx
    import tf2onnx

    merge_duplicates_in_order()
    function = _traced(model, entry, batch)
    (image,), (classes,) = function.inputs, function.outputs
    proto, _ = tf2onnx.convert.from_graph_def(  # from_keras does not work with Keras 3
        function.graph.as_graph_def(add_shapes=True),
        input_names=[image.name],
        output_names=[classes.name],
        tensors_to_rename={image.name: PIXELS},
        custom_op_handlers={"Erfc": (_one_minus_erf, [])},
        opset=OPSET,
    )
    make_canonical(proto)
    onnx.checker.check_model(proto, full_check=True)
    return serialised(proto)


def _traced(model: "keras.Model", entry: Input, batch: int | None) -> Any:
    """A frozen function from raw pixels to the model's output."""
    import tensorflow as tf

    scale, offset = (np.array(value, np.float32) for value in (entry.pixel_scale, entry.pixel_offset))

    @tf.function(input_signature=[tf.TensorSpec((batch, *entry.shape), tf.uint8, name=PIXELS)])  # type: ignore[untyped-decorator]
    def classify(pixels: tf.Tensor) -> tf.Tensor:
        values = tf.cast(pixels, tf.float32) * scale
        return fixed(values + offset if offset.any() else values)

    with marked(model):
        fixed = with_fixed_batch(model, batch)
        with unrolled(model):  # in the bodies of loops tf2onnx gives nodes in any order
            return frozen(classify.get_concrete_function())


def _one_minus_erf(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """Of a GELU: Erfc(x) = 1 - Erf(x), for tf2onnx, which knows no Erfc."""
    from tf2onnx.utils import make_name

    one = graph.make_const(make_name(name), np.float32(1).reshape(()))
    erf = graph.make_node("Erf", [node.input[0]], name=make_name(name))
    graph.remove_node(node.name)
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=[node.output[0]], name=name)


def layer_outputs(parent: Parent, model: bytes, images: npt.NDArray[np.uint8]) -> Iterator[LayerOutput]:
    """Run an int8 `.onnx` and its float parent, and give the output of each layer that computes on integers.

    Args:
        parent: the float parent.
        model: the serialised ModelProto.
        images: raw pixels, uint8, (n, height, width, channels).
    """
    channels = layer_channels(parent.model)
    float_model = prepared(onnx_from_keras(parent.model, parent.manifest.input))
    quantized = quantized_tensors(model)
    common = {
        layer: [name for name in names if name in quantized] for layer, names in layer_tensors(float_model).items()
    }
    layers = {names[-1]: layer for layer, names in common.items() if names}
    exact = tensor_values(float_model, list(layers), images)
    stored = tensor_values(model, [quantized[name][0] for name in layers], images)
    for (name, layer), values, integers in zip(layers.items(), exact, stored, strict=True):
        axis = 1 if values.shape[1] == channels.get(layer) else values.ndim - 1
        yield LayerOutput(layer, values, integers, quantized[name][1], axis)
