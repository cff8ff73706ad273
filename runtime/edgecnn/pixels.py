"""Raw pixels as a network's input, and stored values as real ones: the one place that adds a zero point."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from edgecnn.interpreters import Array, TensorSpec
from edgecnn.manifest import Input

LEVELS = 256  # values of a raw uint8 pixel


def normalize(images: npt.NDArray[np.uint8], wanted: Input) -> npt.NDArray[np.float32]:
    """Raw pixels as a float network takes them: pixel * scale + offset.

    Args:
        images: uint8, (n, height, width, channels).
        wanted: the model's input.

    Returns:
        float32, of the same shape.
    """
    scaled = images.astype(np.float32) * np.asarray(wanted.pixel_scale, np.float32)
    return scaled + np.asarray(wanted.pixel_offset, np.float32) if any(wanted.pixel_offset) else scaled


def input_table(wanted: Input, tensor: TensorSpec) -> Array | None:
    """The stored input values of all pixel values, or None if the file takes raw pixels.

    A stored integer q stands for (q - zero_point) * scale; so q = round(value / scale) + zero_point, held in the
    dtype's range. Source: TensorFlow Lite 8-bit quantization specification.

    Returns:
        The tensor's dtype, shape (1, 256), or (channels, 256) if channels differ.
    """
    if wanted.raw:
        return None
    values = np.outer(wanted.pixel_scale, np.arange(LEVELS)) + np.reshape(wanted.pixel_offset, (-1, 1))
    if tensor.dtype.kind != "f":
        bounds = np.iinfo(tensor.dtype)
        values = (np.rint(values / tensor.scale) + tensor.zero_point).clip(bounds.min, bounds.max)
    table: Array = values.astype(tensor.dtype)
    return table


def stored_pixels(images: npt.NDArray[np.uint8], wanted: Input, tensor: TensorSpec) -> Array:
    """Raw pixels, (..., channels), as an input tensor stores them."""
    table = input_table(wanted, tensor)
    return images if table is None else table[np.arange(images.shape[-1]) % len(table), images]


def writer(wanted: Input, tensor: TensorSpec) -> Callable[[npt.NDArray[np.uint8], Array], None]:
    """A function that writes raw pixels into a place of an input tensor as the tensor stores them.

    Both are of shape (height, width, channels); the place need not be contiguous.
    """
    table = input_table(wanted, tensor)
    if table is None:
        return lambda pixels, place: np.copyto(place, pixels)
    if len(table) > 1:
        return lambda pixels, place: _write_channels(table, pixels, place)
    one = table[0]
    if tensor.dtype.itemsize > 1 or (wanted.layout == "NCHW" and wanted.shape[2] > 1):
        return lambda pixels, place: np.copyto(place, one[pixels])
    values = one.tobytes()

    def translate(pixels: npt.NDArray[np.uint8], place: Array) -> None:  # three times as fast as numpy's take
        memoryview(place.data).cast("B")[:] = pixels.tobytes().translate(values)

    return translate


def _write_channels(table: Array, pixels: npt.NDArray[np.uint8], place: Array) -> None:
    for channel, row in enumerate(table):
        place[..., channel] = row[pixels[..., channel]]


def dequantize(stored: Array, tensor: TensorSpec) -> npt.NDArray[np.float32]:
    """The real values, float32, of a tensor's stored ones; always a copy."""
    if tensor.dtype.kind == "f":
        return stored.astype(np.float32)
    return (stored.astype(np.float32) - np.float32(tensor.zero_point)) * np.float32(tensor.scale)
