"""Convert a Keras model to TFLite; the outputs of its layers."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.contents import LayerOutput
from convert.formats.tflite_graph import layer_tensors, tensor_values
from convert.formats.tflite_grid import with_grids
from convert.parent import Parent
from convert.variant import PLAIN, VARIANTS, Variant
from edgecnn.pixels import normalize
from workstation.quantization_aware import FEW_BITS
from workstation.tflite_converter import tflite_converter
from workstation.tflite_ranges import Range, calibrated_int8

if TYPE_CHECKING:
    import keras

NO_RANGES: Mapping[str, Range] = MappingProxyType({})
Samples = Callable[[], Iterator[list[npt.NDArray[np.float32]]]]
FLOAT = VARIANTS["tflite:none"]
_NO_IMAGES = np.empty(0, np.float32)


def convert(parent: Parent, variant: Variant) -> bytes:
    """Convert a model to a `.tflite` flatbuffer, without its manifest."""
    calibration = normalize(parent.calibration.images, parent.manifest.input)
    trained = parent.manifest.trained_ranges
    if trained is None:
        return tflite_from_keras(parent.model, calibration, variant)
    flatbuffer = tflite_from_keras(parent.model, calibration, variant, ranges=trained.ends)
    has_grid = variant.activations == "int8" and FEW_BITS in trained.bits.values()
    return with_grids(flatbuffer) if has_grid else flatbuffer


def tflite_from_keras(
    model: "keras.Model",
    calibration: npt.NDArray[np.float32],
    variant: Variant = PLAIN,
    loops: bool = True,
    ranges: Mapping[str, Range] = NO_RANGES,
) -> bytes:
    """Convert a Keras model to TFLite.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        calibration: input values of the model, float32, (n, height, width, channels). The ranges of activations are
            the smallest and the largest values seen on them. Only integer variants read them.
        variant: a row of the table for TFLite. Layers are kept in float only by int8; both ends are then float32.
        loops: whether recurrent layers stay loops; in integer variants they never do.
        ranges: of activations, by the names of `workstation.tflite_ranges`; int8 uses them instead of those seen.

    Returns:
        A `.tflite` flatbuffer.

    Raises:
        Exception: whatever TensorFlow raises for a model that it cannot convert.
    """

    def samples() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image in calibration:
            yield [np.repeat(image[np.newaxis], variant.batch or 1, axis=0)]

    with tflite_converter(model, variant.batch, unrolls=variant.is_integer or not loops) as converter:
        _quantize(converter, variant, samples)
        if ranges and variant.activations == "int8":
            kept = _tensors_of(model, variant.kept) if variant.kept else []
            return calibrated_int8(converter, ranges, variant.ends, variant.per_channel, kept)
        if variant.kept:
            return _with_float_layers(converter, samples, _tensors_of(model, variant.kept))
        flatbuffer: bytes = converter.convert()
        return flatbuffer


def _quantize(converter: Any, variant: Variant, samples: Samples) -> None:
    """Set a TFLiteConverter to the columns of a variant."""
    import tensorflow as tf

    operators = {
        "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        "int16": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
    }
    converter._experimental_disable_per_channel = not variant.per_channel
    if variant.weights != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if variant.weights == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if variant.is_integer:
        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [operators[variant.activations]]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(variant.ends)


def _tensors_of(model: "keras.Model", layers: tuple[str, ...]) -> list[str]:
    """The tensors that the operators of these layers write, as TFLite names them."""
    tensors = layer_tensors(tflite_from_keras(model, _NO_IMAGES, FLOAT, loops=False))
    return [name for layer in layers for name in tensors.get(layer, [])]


def _with_float_layers(converter: Any, samples: Samples, tensors: list[str]) -> bytes:
    """Convert, but leave the operators that write these tensors in float."""
    import tensorflow as tf

    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_nodes=tensors)
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=samples, debug_options=options
    )
    flatbuffer: bytes = debugger.get_nondebug_quantized_model()
    return flatbuffer


def layer_outputs(parent: Parent, model: bytes, images: npt.NDArray[np.uint8]) -> Iterator[LayerOutput]:
    """Run an integer `.tflite` and its float parent, and give the output of each layer that computes on integers.

    Args:
        parent: the float parent.
        model: the flatbuffer.
        images: raw pixels, uint8, (n, height, width, channels).
    """
    float_model = tflite_from_keras(parent.model, _NO_IMAGES, FLOAT, loops=False)
    written = {name for names in layer_tensors(model).values() for name in names}
    common = {layer: [name for name in names if name in written] for layer, names in layer_tensors(float_model).items()}
    layers = {names[-1]: layer for layer, names in common.items() if names}
    exact = tensor_values(float_model, layers, normalize(images, parent.manifest.input))
    stored = tensor_values(model, layers, images, parent.manifest.input)
    for name, layer in layers.items():
        values, (integers, tensor) = exact[name][0], stored[name]
        if tensor.dtype.kind != "f":
            yield LayerOutput(layer, values, integers, tensor, values.ndim - 1)
