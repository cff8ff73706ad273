"""Convert a Keras model to TFLite; what is in a `.tflite`: its layers, and what its tensors hold."""

import math
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.contents import Contents
from convert.formats.frozen_graph import frozen, unrolled
from convert.layer_names import by_layer
from convert.parent import Parent, with_fixed_batch
from convert.variant import Variant
from edgecnn.interpreters import TensorSpec
from edgecnn.pixels import normalize, stored_pixels

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[Any]
QUANTIZATIONS = {
    "int8": "int8 in, within and out (default)",
    "int8-float-io": "int8 within, float32 in and out",
    "int16x8": "int16 activations, int8 weights",
    "dynamic": "float32, weights stored as int8",
    "float16": "float32, weights stored as float16",
    "none": "float32",
}
INTEGER = ("int8", "int8-float-io", "int16x8")  # by ranges of activations


def variant(quantize: str, batch: int | None = 1, per_channel: bool = True, kept: tuple[str, ...] = ()) -> Variant:
    """A way to export to TFLite."""

    def convert(parent: Parent) -> bytes:
        calibration = normalize(parent.calibration.images, parent.manifest.input)
        return tflite_from_keras(parent.model, calibration, quantize, batch, per_channel, kept)

    return Variant("tflite", quantize, convert, batch=batch, kept=kept)


def tflite_from_keras(
    model: "keras.Model",
    calibration: npt.NDArray[np.float32],
    quantize: str = "int8",
    batch: int | None = 1,
    per_channel: bool = True,
    kept: tuple[str, ...] = (),
    loops: bool = True,
) -> bytes:
    """Convert a Keras model to TFLite.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        calibration: images as the model takes them, float32, (n, height, width, channels): the ranges of activations
            are the least and the largest values seen on them. Read by int8, int8-float-io and int16x8.
        quantize: one of `QUANTIZATIONS`.
        batch: the fixed batch; None leaves it open, and XNNPACK out of tflite-runtime.
        per_channel: a scale for each output channel of the weights, else one a layer.
        kept: names of Keras layers that stay in float; int8 only. Input and output are then float32.
        loops: whether recurrent layers stay loops; in `INTEGER` they never do.

    Returns:
        A `.tflite` flatbuffer.

    Raises:
        Exception: whatever TensorFlow raises for a model it cannot convert.
    """
    import tensorflow as tf

    def samples() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image in calibration:
            yield [np.repeat(image[np.newaxis], batch or 1, axis=0)]

    with tempfile.TemporaryDirectory() as folder:
        with unrolled(model, quantize in INTEGER or not loops):
            _save_frozen(with_fixed_batch(model, batch), folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter._experimental_disable_per_channel = not per_channel
        if quantize != "none":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize in INTEGER:
            converter.representative_dataset = samples
            wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.target_spec.supported_ops = [
                wide if quantize == "int16x8" else tf.lite.OpsSet.TFLITE_BUILTINS_INT8
            ]
        if quantize in ("int8", "int16x8"):
            kind = tf.int8 if quantize == "int8" else tf.int16
            converter.inference_input_type = converter.inference_output_type = kind
        if kept:
            return _with_float_layers(converter, samples, _tensors_of(model, kept))
        flatbuffer: bytes = converter.convert()
        return flatbuffer


def _save_frozen(model: "keras.Model", folder: str) -> None:
    """Save a model as a function whose weights are constants, with the signature `serving_default`.

    TFLite makes the same of it as by `from_keras_model`, which takes three times as long for a network of 150 layers:
    most of that to save what else Keras keeps of a model.
    """
    import tensorflow as tf

    (taken,) = model.inputs
    function = tf.function(model, input_signature=[tf.TensorSpec(taken.shape, tf.float32, name=taken.name)])
    module = tf.Module()
    module.frozen = frozen(function.get_concrete_function())
    plain = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # which would keep the variables of a swish
    tf.saved_model.save(module, folder, signatures=module.frozen, options=plain)


def _tensors_of(model: "keras.Model", layers: tuple[str, ...]) -> list[str]:
    """The tensors that the operators of these layers write, as TFLite names them."""
    found = tflite_layers(tflite_from_keras(model, np.empty(0, np.float32), "none", loops=False))
    return [name for layer in layers for name in found.get(layer, [])]


def _with_float_layers(converter: Any, samples: Callable[[], Iterator[Any]], tensors: list[str]) -> bytes:
    """Convert, but leave the operators that write these tensors in float."""
    import tensorflow as tf

    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=tensors)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=samples, debug_options=options
    )
    flatbuffer: bytes = debugger.get_nondebug_quantized_model()
    return flatbuffer


def tflite_layers(flatbuffer: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of the tensors that its operators write, the last being the layer's output."""
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
    graph = model.subgraphs[0]  # the others are bodies of loops
    names = [graph.tensors[place].name.decode() for op in graph.operators for place in op.outputs]
    return by_layer([(name, name) for name in names])


def tflite_contents(payload: bytes) -> Contents:
    """Count the operators and parameters of a `.tflite`."""
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(payload, 0))
    integers = {schema.TensorType.INT8, schema.TensorType.INT16}

    def is_parameter(tensor: Any) -> bool:
        constant = model.buffers[tensor.buffer].data is not None and len(model.buffers[tensor.buffer].data)
        shape_vector = tensor.type in (schema.TensorType.INT32, schema.TensorType.INT64) and not _scaled(tensor)
        return bool(constant) and not shape_vector

    quantized = [
        all(graph.tensors[place].type in integers for place in op.outputs)
        for graph in model.subgraphs  # the bodies of loops are graphs of their own
        for op in graph.operators
    ]
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors if is_parameter(tensor)]
    parameters = sum(math.prod(() if tensor.shape is None else map(int, tensor.shape)) for tensor in tensors)
    return Contents(len(quantized), parameters, sum(quantized) / len(quantized))


def _scaled(tensor: Any) -> bool:
    return tensor.quantization is not None and tensor.quantization.scale is not None


def layer_outputs(
    parent: Parent, model: bytes, images: npt.NDArray[np.uint8]
) -> Iterator[tuple[str, Array, Array, TensorSpec, int]]:
    """By layer: its name, float output, quantized output, how that is quantized, and the axis of channels."""
    floats = tflite_from_keras(parent.model, np.empty(0, np.float32), "none", loops=False)
    there = {name for names in tflite_layers(model).values() for name in names}
    last = {layer: [name for name in names if name in there] for layer, names in tflite_layers(floats).items()}
    names = {names[-1]: layer for layer, names in last.items() if names}
    exact = _tensor_values(floats, names, normalize(images, parent.manifest.input))
    stored = _tensor_values(model, names, images, parent)
    for name, layer in names.items():
        (values, _), (kept, tensor) = exact[name], stored[name]
        if tensor.dtype.kind != "f":
            yield layer, values, kept, tensor, values.ndim - 1


def _tensor_values(
    flatbuffer: bytes, names: dict[str, str], images: Array, parent: Parent | None = None
) -> dict[str, tuple[Array, TensorSpec]]:
    """What the tensors hold for each image; with `parent`, raw pixels are turned into the model's input first."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    details = {each["name"]: each for each in interpreter.get_tensor_details() if each["name"] in names}
    (taken,) = interpreter.get_input_details()
    scale, zero_point = taken["quantization"]
    entry = TensorSpec((), np.dtype(taken["dtype"]), scale or 1.0, zero_point)
    if parent is not None:
        images = stored_pixels(images, parent.manifest.input, entry)
    found: dict[str, list[Array]] = {name: [] for name in details}
    for image in images:
        interpreter.set_tensor(taken["index"], image[np.newaxis])
        interpreter.invoke()
        for name, values in found.items():
            values.append(interpreter.get_tensor(details[name]["index"]))
    return {name: (np.concatenate(values), _tensor(details[name])) for name, values in found.items()}


def _tensor(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    return TensorSpec(tuple(details["shape"]), np.dtype(details["dtype"]), scale or 1.0, zero_point)
