"""Convert a Keras model to ONNX, raw pixels in."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.formats.frozen_graph import frozen, unrolled
from convert.formats.onnx_canonical import keep_alike, make_canonical
from convert.formats.onnx_graph import PIXELS, onnx_layers, onnx_outputs, serialised
from convert.formats.onnx_quantize import prepared, quantize_dynamic, quantize_static, to_float16
from convert.layer_names import layer_channels
from convert.parent import Parent, with_fixed_batch
from convert.variant import Variant
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Input

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[Any]
QUANTIZATIONS = {
    "none": "float32 (default)",
    "int8": "int8 by QuantizeLinear and DequantizeLinear (static QDQ)",
    "dynamic": "float32, weights stored as int8, activations quantized as they come",
    "float16": "float16 within",
}
OPSET = 18
TYPES = ("int8", "uint8")


def variant(quantize: str, batch: int | None = 1, kept: tuple[str, ...] = (), **static: Any) -> Variant:
    """A way to export to ONNX, the layers `kept` in float; `static` goes to `quantize_static`."""

    def convert(parent: Parent) -> bytes:
        model = onnx_from_keras(parent.model, parent.manifest.input, batch)
        if quantize == "int8":
            nodes = onnx_layers(prepared(model)) if kept else {}
            exclude = [node for layer in kept for node in nodes.get(layer, [])]
            return quantize_static(model, parent.calibration.images, batch or 1, exclude=exclude, **static)
        if quantize == "dynamic":
            return quantize_dynamic(model)
        return to_float16(model) if quantize == "float16" else model

    return Variant("onnx", quantize, convert, batch=batch, raw=True, kept=kept)


def onnx_from_keras(model: "keras.Model", wanted: Input, batch: int | None = 1) -> bytes:
    """Convert a Keras model to float32 ONNX with the pixels' scale inside the graph.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        wanted: how a raw pixel becomes an input value.
        batch: the fixed batch; None leaves it open.

    Returns:
        A serialised ModelProto of opset `OPSET`. Its input `pixels` is uint8, (batch, height, width, channels).

    Raises:
        Exception: whatever tf2onnx raises for a model it cannot convert.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    fixed = with_fixed_batch(model, batch)
    scale, offset = (np.array(each, np.float32) for each in (wanted.pixel_scale, wanted.pixel_offset))

    @tf.function(input_signature=[tf.TensorSpec((batch, *wanted.shape), tf.uint8, name=PIXELS)])  # type: ignore[untyped-decorator]
    def classify(pixels: tf.TensorSpec) -> tf.TensorSpec:
        values = tf.cast(pixels, tf.float32) * scale
        return fixed(values + offset if offset.any() else values)

    with unrolled(model):  # in the bodies of loops tf2onnx gives nodes in any order
        function = frozen(classify.get_concrete_function())
    keep_alike()
    (taken,), (given,) = function.inputs, function.outputs
    proto, _ = tf2onnx.convert.from_graph_def(  # from_keras does not work with Keras 3
        function.graph.as_graph_def(add_shapes=True),
        input_names=[taken.name],
        output_names=[given.name],
        tensors_to_rename={taken.name: PIXELS},
        custom_op_handlers={"Erfc": (_one_minus_erf, [])},
        opset=OPSET,
    )
    make_canonical(proto)
    onnx.checker.check_model(proto, full_check=True)
    return serialised(proto)


def _one_minus_erf(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """Of a GELU: Erfc(x) = 1 - Erf(x), for tf2onnx, which knows no Erfc."""
    from tf2onnx.utils import make_name

    one = graph.make_const(make_name(name), np.float32(1).reshape(()))
    erf = graph.make_node("Erf", [node.input[0]], name=make_name(name))
    graph.remove_node(node.name)
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=[node.output[0]], name=name)


def layer_outputs(
    parent: Parent, model: bytes, images: npt.NDArray[np.uint8]
) -> Iterator[tuple[str, Array, Array, TensorSpec, int]]:
    """By layer: its name, float output, quantized output, how that is quantized, and the axis of channels."""
    channels = layer_channels(parent.model)
    floats = prepared(onnx_from_keras(parent.model, parent.manifest.input))
    steps = _quantized_tensors(model)
    last = {layer: [name for name in names if name in steps] for layer, names in onnx_outputs(floats).items()}
    names = {names[-1]: layer for layer, names in last.items() if names}
    exact = _tensor_values(floats, list(names), images)
    stored = _tensor_values(model, [steps[name][0] for name in names], images)
    for (name, layer), values, kept in zip(names.items(), exact, stored, strict=True):
        yield layer, values, kept, steps[name][1], 1 if values.shape[1] == channels.get(layer) else values.ndim - 1


def _quantized_tensors(model: bytes) -> dict[str, tuple[str, TensorSpec]]:
    """By float tensor: the quantized tensor that QuantizeLinear makes of it, its scale and zero point."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load_from_string(model).graph
    constants = {each.name: each for each in graph.initializer}
    found = {}
    for node in graph.node:
        if node.op_type == "QuantizeLinear" and node.input[0] not in constants:
            scale, zero_point = (numpy_helper.to_array(constants[name]) for name in node.input[1:3])
            tensor = TensorSpec((), zero_point.dtype, float(scale), int(zero_point))
            found[node.input[0].removesuffix("_DequantizeLinear_Output")] = (node.output[0], tensor)
    return found


def _tensor_values(model: bytes, names: list[str], images: npt.NDArray[np.uint8]) -> list[Array]:
    """What the tensors `names` hold for each image."""
    import onnx
    import onnxruntime

    proto = onnx.load_from_string(model)
    given = {output.name for output in proto.graph.output}
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in given)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    found = [session.run(names, {PIXELS: image[np.newaxis]}) for image in images]
    return [np.concatenate(values) for values in zip(*found, strict=True)]
