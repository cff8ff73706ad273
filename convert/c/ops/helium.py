"""Weights of convolutions as Helium, ARM's vectors for microcontrollers, reads them best."""

from collections.abc import Mapping

import numpy as np

from convert.c.ops.layer import BLOCK
from convert.c.step import Bytes

_FOUR, _CHUNK = 4, 16  # channels and bytes, as in kernels/conv_helium.h
_PAIR = 2  # positions at once


def _covered(height: int, row: int) -> int:
    """Bytes that a kernel covers, of rows of whole pairs of bytes, in whole chunks."""
    return -(-height * (row + row % 2) // _CHUNK) * _CHUNK


def helium_weights(weights: Bytes) -> Bytes:
    """Weights (outputs, height, width, channels) as (outputs / 4, chunks, 4, 16), of whole blocks of outputs."""
    outputs, height, width, channels = weights.shape
    row, size = width * channels, _covered(height, width * channels)
    rows = np.zeros((-(-outputs // BLOCK) * BLOCK, height, row + row % 2), np.int8)
    rows[:outputs, :, :row] = weights.reshape(outputs, height, row)
    padded = np.zeros((len(rows), size), np.int8)
    padded[:, : height * (row + row % 2)] = rows.reshape(len(rows), -1)
    return padded.reshape(-1, _FOUR, size // _CHUNK, _CHUNK).transpose(0, 2, 1, 3)


def helium_scratch_bytes(fields: Mapping[str, int]) -> int:
    """What kernels cover of an input, of as many positions as are computed at once; nothing where it lies in a row."""
    if fields["dense"] or (fields["kernel_height"] == 1 and not fields["padded"]):
        return 0
    return max(_PAIR, fields["window"]) * _covered(fields["kernel_height"], 2 * fields["pairs"])
