"""Export a Keras classifier to TFLite; full int8 unless told otherwise.

The file is checked against its Keras parent on validation images, on every installed engine that runs it, before it
appears; it does not appear when it loses more than max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.tflite
  python -m convert.tflite artifacts/mnist/model.keras --quantize float16
  python -m convert.tflite flowers.h5 --labels rose,tulip --normalization tf --calibration photos/
"""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.export import Variant, run_export
from convert.parent import Parent, with_fixed_batch
from edgecnn.command import command, parser
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


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.tflite`."""
    made = parser("python -m convert.tflite", __doc__)
    made.add_argument("--quantize", choices=QUANTIZATIONS, default="int8", help=_listed(QUANTIZATIONS))
    made.add_argument("--no-per-channel", action="store_true", help="one scale for all of a layer's weights")
    return run_export(made, argv, lambda options: variant(options.quantize, options.batch, not options.no_per_channel))


def _listed(choices: dict[str, str]) -> str:
    return "; ".join(f"{name}: {words}" for name, words in choices.items())


def variant(quantize: str, batch: int | None = 1, per_channel: bool = True) -> Variant:
    """A way to export to TFLite."""

    def convert(parent: Parent) -> bytes:
        calibration = normalize(parent.calibration.images, parent.manifest.input)
        return tflite_from_keras(parent.model, calibration, quantize, batch, per_channel)

    return Variant("tflite", quantize, convert, batch=batch)


def tflite_from_keras(
    model: "keras.Model",
    calibration: npt.NDArray[np.float32],
    quantize: str = "int8",
    batch: int | None = 1,
    per_channel: bool = True,
) -> bytes:
    """Convert a Keras model to TFLite.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        calibration: images as the model takes them, float32, (n, height, width, channels): the ranges of activations
            are the least and the largest values seen on them. Read by int8, int8-float-io and int16x8.
        quantize: one of `QUANTIZATIONS`.
        batch: the fixed batch; None leaves it open, and XNNPACK out of tflite-runtime.
        per_channel: a scale for each output channel of the weights, else one a layer.

    Returns:
        A `.tflite` flatbuffer.

    Raises:
        Exception: whatever TensorFlow raises for a model it cannot convert.
    """
    import tensorflow as tf

    def samples() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image in calibration:
            yield [np.repeat(image[np.newaxis], batch or 1, axis=0)]

    converter = tf.lite.TFLiteConverter.from_keras_model(with_fixed_batch(model, batch))
    converter._experimental_disable_per_channel = not per_channel
    if quantize != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize in ("int8", "int8-float-io", "int16x8"):
        converter.representative_dataset = samples
        wide = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [wide if quantize == "int16x8" else tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    if quantize in ("int8", "int16x8"):
        kind = tf.int8 if quantize == "int8" else tf.int16
        converter.inference_input_type = converter.inference_output_type = kind
    flatbuffer: bytes = converter.convert()
    return flatbuffer


if __name__ == "__main__":
    sys.exit(main())
