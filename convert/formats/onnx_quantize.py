"""Quantize a float32 ONNX model by onnxruntime's tools, which work on files."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.formats.onnx_graph import PIXELS, serialised


def quantize_static(
    model: bytes,
    calibration: npt.NDArray[np.uint8],
    batch: int = 1,
    per_channel: bool = True,
    activation_type: str = "int8",
    weight_type: str = "int8",
    reduce_range: bool = True,
    exclude: Sequence[str] = (),
) -> bytes:
    """Quantize a float32 ONNX model to static int8, by QuantizeLinear and DequantizeLinear (QDQ).

    Args:
        model: a serialised ModelProto as `onnx_from_keras` gives it.
        calibration: raw pixels, uint8, (n, height, width, channels).
        batch: images the model takes at once.
        per_channel: a scale for each output channel of the weights, else one a layer.
        activation_type: int8 or uint8.
        weight_type: int8 or uint8.
        reduce_range: 7 bits for weights. With 8, ONNX Runtime's sums of two products saturate 16 bits on an x86-64
            without VNNI: the same file would answer otherwise there than on other CPUs.
        exclude: names of nodes that stay in float.

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
            return None if image is None else {PIXELS: np.repeat(image[np.newaxis], batch, axis=0)}

    types = {"int8": quantization.QuantType.QInt8, "uint8": quantization.QuantType.QUInt8}

    def quantize(given: Path, made: Path) -> None:
        quantization.quantize_static(
            given,
            made,
            Reader(calibration),
            per_channel=per_channel,
            activation_type=types[activation_type],
            weight_type=types[weight_type],
            reduce_range=reduce_range,
            nodes_to_exclude=list(exclude),
        )

    return _through_files(prepared(model), quantize)


def prepared(model: bytes) -> bytes:
    """A model after onnxruntime's pre-processing for quantization: shapes inferred, nodes fused."""
    from onnxruntime import quantization

    def prepare(given: Path, made: Path) -> None:
        quantization.shape_inference.quant_pre_process(given, made, skip_symbolic_shape=True)

    return _through_files(model, prepare)


def quantize_dynamic(model: bytes) -> bytes:
    """Quantize weights to uint8, and activations while the model runs; arguments and result as above.

    uint8 weights, since onnxruntime's ConvInteger takes no others on the CPU.
    """
    from onnxruntime import quantization

    def quantize(given: Path, made: Path) -> None:
        quantization.quantize_dynamic(given, made, weight_type=quantization.QuantType.QUInt8)

    return _through_files(prepared(model), quantize)


def to_float16(model: bytes) -> bytes:
    """Turn float32 into float16 within the model; it still gives float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return serialised(convert_float_to_float16(onnx.load_from_string(model), keep_io_types=True))


def _through_files(model: bytes, step: Any) -> bytes:
    """What `step(given, made)` makes of a model; onnxruntime's tools work on files."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.onnx", Path(folder) / "made.onnx"
        given.write_bytes(model)
        step(given, made)
        return serialised(onnx.load(made))
