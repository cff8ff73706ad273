"""Quantize a float32 ONNX model by onnxruntime's tools, which work on files."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.formats.onnx_graph import PIXELS, serialised
from convert.variant import VARIANTS, Variant
from workstation.tflite_ranges import Range


def quantize_static(
    model: bytes,
    calibration: npt.NDArray[np.uint8],
    variant: Variant = VARIANTS["onnx:int8"],
    excluded: Sequence[str] = (),
    ranges: Mapping[str, Range] | None = None,
) -> bytes:
    """Quantize a float32 ONNX model to static int8, by QuantizeLinear and DequantizeLinear (QDQ).

    Args:
        model: a serialised ModelProto as `onnx_from_keras` gives it.
        calibration: raw pixels, uint8, (n, height, width, channels).
        variant: its weights and activations are int8 or uint8. With `reduce_range` weights have 7 bits: with 8, ONNX
            Runtime's sums of two products saturate 16 bits on an x86-64 without VNNI, and the same file would give
            other answers there than on other CPUs.
        excluded: names of nodes that stay in float.
        ranges: of tensors by their names, instead of those seen on the images.

    Returns:
        A serialised ModelProto with the same input and output.

    Raises:
        Exception: whatever onnxruntime's quantizer raises for a model that it cannot quantize.
    """
    from onnxruntime import quantization

    types = {"int8": quantization.QuantType.QInt8, "uint8": quantization.QuantType.QUInt8}

    overrides = {
        name: [{"rmin": np.float32(low), "rmax": np.float32(high)}] for name, (low, high) in (ranges or {}).items()
    }

    def quantize(source: Path, target: Path) -> None:
        quantization.quantize_static(
            source,
            target,
            _reader(calibration, variant.batch or 1),
            per_channel=variant.per_channel,
            activation_type=types[variant.activations],
            weight_type=types[variant.weights],
            reduce_range=variant.reduce_range,
            nodes_to_exclude=list(excluded),
            extra_options={"TensorQuantOverrides": overrides},
        )

    return _through_files(prepared(model), quantize)


def _reader(images: npt.NDArray[np.uint8], batch: int) -> Any:
    """A CalibrationDataReader: feeds the images one by one, repeated to fill a batch."""
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Feeds images."""

        def __init__(self) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
            image = next(self._images, None)
            return None if image is None else {PIXELS: np.repeat(image[np.newaxis], batch, axis=0)}

    return Reader()


def prepared(model: bytes) -> bytes:
    """A model after onnxruntime's pre-processing for quantization: shapes inferred, nodes fused."""
    from onnxruntime import quantization

    def prepare(source: Path, target: Path) -> None:
        quantization.shape_inference.quant_pre_process(source, target, skip_symbolic_shape=True)

    return _through_files(model, prepare)


def quantize_dynamic(model: bytes) -> bytes:
    """Quantize the weights of a float32 ONNX model to uint8; activations are quantized while the model runs.

    Weights are uint8 because onnxruntime's ConvInteger takes no others on the CPU.
    """
    from onnxruntime import quantization

    def quantize(source: Path, target: Path) -> None:
        quantization.quantize_dynamic(source, target, weight_type=quantization.QuantType.QUInt8)

    return _through_files(prepared(model), quantize)


def to_float16(model: bytes) -> bytes:
    """Turn float32 into float16 within the model; its output stays float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return serialised(convert_float_to_float16(onnx.load_from_string(model), keep_io_types=True))


def _through_files(model: bytes, tool: Callable[[Path, Path], None]) -> bytes:
    """Write a model to a file, run `tool(source, target)`, and read what it wrote."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        source.write_bytes(model)
        tool(source, target)
        return serialised(onnx.load(target))
