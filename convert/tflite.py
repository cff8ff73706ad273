"""Export a Keras classifier to TFLite; full int8 unless told otherwise.

The file is checked against its Keras parent on validation images, on every installed engine that runs it, before it
appears; it does not appear when it loses more than max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.tflite
  python -m convert.tflite artifacts/mnist/model.keras --quantize float16
  python -m convert.tflite --quantize int8 --keep-float auto
  python -m convert.tflite flowers.h5 --labels rose,tulip --normalization tf --calibration photos/
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.export import Variant
from convert.frozen import frozen, unrolled
from convert.layers import tflite_layers
from convert.parent import Parent, with_fixed_batch
from convert.run import run_export
from convert.survive import survived
from edgecnn.command import command, command_parser
from edgecnn.pixels import normalize

if TYPE_CHECKING:
    import keras

QUANTIZATIONS = {
    "int8": "int8 in, within and out (default)",
    "int8-float-io": "int8 within, float32 in and out",
    "int16x8": "int16 activations, int8 weights",
    "dynamic": "float32, weights stored as int8",
    "float16": "float32, weights stored as float16",
    "none": "float32",
}
INTEGER = ("int8", "int8-float-io", "int16x8")  # by ranges of activations


@command
@survived
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.tflite`."""
    parser = command_parser("python -m convert.tflite", __doc__)
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="int8", help=_listed(QUANTIZATIONS))
    parser.add_argument("--no-per-channel", action="store_true", help="one scale for all of a layer's weights")

    def choose(options: argparse.Namespace, kept: tuple[str, ...]) -> Variant:
        return variant(options.quantize, options.batch, not options.no_per_channel, kept)

    return run_export(parser, argv, choose)


def _listed(choices: dict[str, str]) -> str:
    return "; ".join(f"{name}: {words}" for name, words in choices.items())


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


if __name__ == "__main__":
    sys.exit(main())
