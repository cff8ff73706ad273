"""Export a trained model to full-int8 TFLite: int8 in, int8 out, per-channel weights, batch 1.

The file is checked against its Keras parent on validation.npz, on every installed engine that runs it, before it
appears; it does not appear when it loses more than max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.tflite
  python -m convert.tflite artifacts/mnist/model.keras --output digits.tflite
"""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.export import Export, run_export
from convert.parent import Parent, with_fixed_batch
from edgecnn.command import command, parser
from edgecnn.pixels import normalize

if TYPE_CHECKING:
    import keras


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.tflite`."""
    made = parser("python -m convert.tflite", __doc__)
    return run_export(made, argv, lambda options: Export("tflite", "int8", _convert))


def _convert(parent: Parent) -> bytes:
    return tflite_from_keras(parent.model, normalize(parent.calibration.images, parent.manifest.input))


def tflite_from_keras(model: "keras.Model", calibration: npt.NDArray[np.float32]) -> bytes:
    """Convert a Keras model to full-int8 TFLite with the batch fixed at 1.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        calibration: images as the model takes them, float32, (n, height, width, channels): the ranges of activations
            are the least and the largest values seen on them.

    Returns:
        A `.tflite` flatbuffer. Input and output are int8; weights int8, symmetric, a scale for each output channel.

    Raises:
        Exception: whatever TensorFlow raises for a model it cannot convert.
    """
    import tensorflow as tf

    def samples() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image in calibration:
            yield [image[np.newaxis]]

    converter = tf.lite.TFLiteConverter.from_keras_model(with_fixed_batch(model))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    flatbuffer: bytes = converter.convert()
    return flatbuffer


if __name__ == "__main__":
    sys.exit(main())
