"""Multipliers, shifts and ranges as TFLite's reference kernels work them out; functions name the source's own."""

import math

import numpy as np
import numpy.typing as npt

from convert.c.network import NetworkTensor
from edgecnn.errors import EdgecnnError

Wide = npt.NDArray[np.int64]

LEAST, MOST = -128, 127
_NONE, _RELU, _RELU_N1_TO_1, _RELU6 = 0, 1, 2, 3  # schema.ActivationFunctionType


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


def rescaled(values: Wide, fixed: int, shift: int) -> Wide:
    """Integers times a multiplier, as `rescale` of common.h. Source: MultiplyByQuantizedMultiplier, common.h."""
    wrapped = ((values << max(-shift, 0)) + 2**31) % 2**32 - 2**31
    return halves_away((wrapped * fixed + 2**30) >> 31, max(shift, 0))


def halves_away(values: Wide, shift: int) -> Wide:
    """Shifted to the right and rounded to nearest, half away from zero. Source: RoundingDivideByPOT, fixedpoint.h."""
    half = (1 << shift) >> 1
    return (values + half + np.where(values < 0, -1, 0)) >> shift if shift else values


def channel_reals(input: NetworkTensor, weights: NetworkTensor, output: NetworkTensor, channels: int) -> list[float]:
    """What the sums of each output channel are multiplied by. Source: PopulateConvolutionQuantizationParams."""
    scales = weights.scales * channels if len(weights.scales) == 1 else weights.scales
    return [float(input.scale) * scale / float(output.scale) for scale in scales]


def activation_range(activation: int, output: NetworkTensor) -> tuple[int, int]:
    """The least and the most that a fused activation leaves. Source: CalculateActivationRangeQuantized.

    Raises:
        EdgecnnError: it is none of ReLU, ReLU6 and ReLU from -1 to 1.
    """
    ranges = {_NONE: (-math.inf, math.inf), _RELU: (0, math.inf), _RELU_N1_TO_1: (-1, 1), _RELU6: (0, 6)}
    if activation not in ranges:
        kinds = "ReLU, ReLU6 and ReLU from -1 to 1"
        raise EdgecnnError(f"{output.name!r} has an activation that C is not written for: only {kinds} are")
    least, most = (_quantized(real, output) for real in ranges[activation])
    return max(LEAST, least), min(MOST, most)


def _quantized(real: float, output: NetworkTensor) -> int:
    """A real number as an integer of a tensor, half away from zero; the ends of int8 where it is infinite."""
    if math.isinf(real):
        return LEAST if real < 0 else MOST
    steps = float(np.float32(abs(real)) / output.scale)
    return output.zero_point + int(math.copysign(math.floor(steps + 0.5), real))
