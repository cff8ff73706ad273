"""Weights of kernels of many bytes as NEON without the dot product reads them best."""

import numpy as np

from convert.c.step import Bytes

_FOUR = 4  # channels that a tile has
_PER_GROUP, _PER_EIGHT, _PER_OUTPUT = 1.21, 1.75, 2.2  # instructions for an output: 4 bytes, 8 bytes, more at its end


def eights(row: int) -> int:
    """How many times eight bytes a kernel's row of so many bytes takes."""
    return -(-row // 8)


def wide_weights(weights: Bytes) -> Bytes | None:
    """Weights (outputs, height, width, channels), sixteen bytes at a time; nothing where groups of four are as fast.

    Returns:
        (outputs / 4, height, bytes): of a row for sixteen bytes after the other 4 channels, for its last eight too.
    """
    outputs, height, width, channels = weights.shape
    row, fours = width * channels, -(-outputs // _FOUR)
    size, whole = eights(row) * 8, _sixteens(row)
    if not whole or height * (-(-row // 4) * _PER_GROUP - eights(row) * _PER_EIGHT) < _PER_OUTPUT:
        return None
    padded = np.zeros((fours * _FOUR, height, size), np.int8)
    padded[:outputs, :, :row] = weights.reshape(outputs, height, row)
    by_four = padded.reshape(fours, _FOUR, height, size).transpose(0, 2, 1, 3)
    sixteens = by_four[..., :whole].reshape(fours, height, _FOUR, -1, 16).swapaxes(2, 3)
    rows: Bytes = np.concatenate([part.reshape(fours, height, -1) for part in (sixteens, by_four[..., whole:])], axis=2)
    return rows


def _sixteens(row: int) -> int:
    """The bytes of a row that are read sixteen at a time."""
    return eights(row) // 2 * 16
