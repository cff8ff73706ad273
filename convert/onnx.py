"""Export a trained model to ONNX: raw uint8 pixels in, probabilities out, batch 1.

The file is checked against its Keras parent on validation.npz before it appears; it does not appear when it loses more
than max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.onnx
  python -m convert.onnx --quantize int8
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.export import Export, run_export
from convert.parent import Parent, with_fixed_batch
from edgecnn.command import command, parser
from edgecnn.manifest import Input

if TYPE_CHECKING:
    import keras

OPSET = 18
PIXELS = "pixels"  # the input's name


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.onnx`."""
    made = parser("python -m convert.onnx", __doc__)
    made.add_argument("--quantize", choices=("none", "int8"), default="none", help="none: float32 (default)")
    return run_export(made, argv, _export)


def _export(options: argparse.Namespace) -> Export:
    def convert(parent: Parent) -> bytes:
        model = onnx_from_keras(parent.model, parent.manifest.input)
        return model if options.quantize == "none" else quantize_onnx(model, parent.calibration.images)

    return Export("onnx", options.quantize, convert, raw=True)


def onnx_from_keras(model: "keras.Model", wanted: Input) -> bytes:
    """Convert a Keras model to float32 ONNX with the batch fixed at 1 and the pixels' scale inside the graph.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        wanted: how a raw pixel becomes an input value.

    Returns:
        A serialised ModelProto. Its input `pixels` is uint8, (1, height, width, channels).

    Raises:
        Exception: whatever tf2onnx raises for a model it cannot convert.
    """
    import tensorflow as tf
    import tf2onnx

    fixed = with_fixed_batch(model)
    scale, offset = (np.array(each, np.float32) for each in (wanted.pixel_scale, wanted.pixel_offset))

    # from_function, since tf2onnx's from_keras does not work with Keras 3.
    @tf.function(input_signature=[tf.TensorSpec((1, *wanted.shape), tf.uint8, name=PIXELS)])  # type: ignore[untyped-decorator]
    def classify(pixels: tf.Tensor) -> tf.Tensor:
        values = tf.cast(pixels, tf.float32) * scale
        return fixed(values + offset if offset.any() else values)

    proto, _ = tf2onnx.convert.from_function(classify, input_signature=classify.input_signature, opset=OPSET)
    serialised: bytes = proto.SerializeToString()
    return serialised


def quantize_onnx(model: bytes, calibration: npt.NDArray[np.uint8]) -> bytes:
    """Quantize a float32 ONNX model to static int8 (QDQ, int8 activations, int8 weights a scale a channel).

    Args:
        model: a serialised ModelProto as `onnx_from_keras` gives it.
        calibration: raw pixels, uint8, (n, height, width, channels).

    Returns:
        A serialised ModelProto with the same ends.

    Raises:
        Exception: whatever onnxruntime's quantizer raises for a model it cannot quantize.
    """
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Feeds the calibration images one by one."""

        def __init__(self, images: Iterable[npt.NDArray[np.uint8]]) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
            image = next(self._images, None)
            return None if image is None else {PIXELS: image[np.newaxis]}

    with tempfile.TemporaryDirectory() as folder:
        given, prepared, made = (Path(folder) / f"{name}.onnx" for name in ("given", "prepared", "made"))
        given.write_bytes(model)
        quantization.shape_inference.quant_pre_process(given, prepared, skip_symbolic_shape=True)
        quantization.quantize_static(prepared, made, Reader(calibration), per_channel=True)
        return made.read_bytes()


if __name__ == "__main__":
    sys.exit(main())
