"""Multipliers, shifts and ranges as TFLite's reference kernels work them out; functions name the source's own."""

import math

import numpy as np

from convert.c.network import NetworkTensor
from edgecnn.errors import EdgecnnError

LEAST, MOST = -128, 127
_NONE, _RELU, _RELU6 = 0, 1, 3  # schema.ActivationFunctionType


def multiplier(real: float) -> tuple[int, int]:
    """A positive real number as `multiplier * 2^-31 * 2^-shift`. Source: QuantizeMultiplier, quantization_util.cc.

    Returns:
        The multiplier, of 31 bits, and how far to shift right, -30 to 31; 0 and 1 for what is too small.

    Raises:
        EdgecnnError: it is too large, for TFLite too.
    """
    fraction, exponent = math.frexp(real)
    fixed = math.floor(fraction * 2**31 + 0.5)
    if fixed == 2**31:
        fixed, exponent = fixed // 2, exponent + 1
    if exponent > 30:
        raise EdgecnnError(f"sums are multiplied by {real:.3g}: scales that are so far apart are not defined in TFLite")
    return (0, 1) if fixed == 0 or exponent < -31 else (fixed, -exponent)  # every kernel shifts by 1


def channel_reals(input: NetworkTensor, weights: NetworkTensor, output: NetworkTensor, channels: int) -> list[float]:
    """What the sums of each output channel are multiplied by. Source: PopulateConvolutionQuantizationParams."""
    scales = weights.scales * channels if len(weights.scales) == 1 else weights.scales
    return [float(input.scale) * scale / float(output.scale) for scale in scales]


def activation_range(activation: int, output: NetworkTensor) -> tuple[int, int]:
    """The least and the most that a fused activation leaves. Source: CalculateActivationRangeQuantized.

    Raises:
        EdgecnnError: it is none of ReLU and ReLU6.
    """
    if activation == _NONE:
        return LEAST, MOST
    if activation not in (_RELU, _RELU6):
        raise EdgecnnError(f"{output.name!r} has an activation that C is not written for: only ReLU and ReLU6 are")
    most = output.zero_point + _rounded(np.float32(6) / output.scale) if activation == _RELU6 else MOST
    return max(LEAST, output.zero_point), min(MOST, most)


def _rounded(value: np.float32) -> int:
    return math.floor(float(value) + 0.5)
