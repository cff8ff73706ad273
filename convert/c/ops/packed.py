"""Weights of 4 bits, two in a byte, for kernels of microcontrollers: half the flash, by the same sums.

Whether a layer's weights are of 4 bits is seen by the numbers themselves: a layer of 8 bits has a weight of 127 in each
output channel. So any full-int8 `.tflite` will do, and no manifest has to be right. Vector kernels read a byte each.
"""

import numpy as np

from convert.c.step import Bytes
from workstation.quantization_aware import FEW_STEPS

PACKED = "FOUR_BITS  // some layers have weights of 4 bits, two in a byte"
_QUAD, _GROUP = 4, 4  # channels that kernels compute at once; bytes of a kernel's row, as in kernels/conv.h
_PRODUCTS = 2**17  # a channel: sums of so many products with whole bytes fit in 32 bits


def packed_weights(weights: Bytes) -> Bytes | None:
    """Weights (outputs, height, width, channels) as (outputs / 4, height, groups of a row, 2, 4), if 4 bits hold all.

    A byte is 16 times the weight of one channel, plus that of the next one; with -8 it would overflow.
    """
    outputs, height, width, channels = weights.shape
    if np.abs(weights.astype(np.int16)).max() > FEW_STEPS or weights[0].size > _PRODUCTS:
        return None
    groups, quads = -(-width * channels // _GROUP), -(-outputs // _QUAD)
    padded = np.zeros((quads * _QUAD, height, groups * _GROUP), np.int8)
    padded[:outputs, :, : width * channels] = weights.reshape(outputs, height, width * channels)
    pairs = padded.reshape(quads, 2, 2, height, groups, _GROUP)
    together = 16 * pairs[:, :, 0] + pairs[:, :, 1]
    return np.ascontiguousarray(together.transpose(0, 2, 3, 1, 4))
