"""Multipliers, shifts and ranges as TFLite's reference kernels work them out; functions name the source's own."""

import math

import numpy as np
import numpy.typing as npt

from convert.c.graph import Tensor
from edgecnn.errors import EdgecnnError

LEAST, MOST = -128, 127
_NONE, _RELU, _RELU6 = 0, 1, 3  # schema.ActivationFunctionType
_PARTS = float.fromhex("0x1.71547652b82fep+5")  # 32 / ln 2
_CUBIC = [
    float.fromhex("0x1.c6af84b912394p-20"),
    float.fromhex("0x1.ebfce50fac4f3p-13"),
    float.fromhex("0x1.62e42ff0c52d6p-6"),
]


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


def channel_reals(taken: Tensor, weights: Tensor, given: Tensor, channels: int) -> list[float]:
    """What the sums of each output channel are multiplied by. Source: PopulateConvolutionQuantizationParams."""
    scales = weights.scales * channels if len(weights.scales) == 1 else weights.scales
    return [float(taken.scale) * scale / float(given.scale) for scale in scales]


def activation_range(activation: int, given: Tensor) -> tuple[int, int]:
    """The least and the most that a fused activation leaves. Source: CalculateActivationRangeQuantized.

    Raises:
        EdgecnnError: it is none of ReLU and ReLU6.
    """
    if activation == _NONE:
        return LEAST, MOST
    if activation not in (_RELU, _RELU6):
        raise EdgecnnError(f"{given.name!r} has an activation that C is not written for: only ReLU and ReLU6 are")
    most = given.zero_point + _rounded(np.float32(6) / given.scale) if activation == _RELU6 else MOST
    return max(LEAST, given.zero_point), min(MOST, most)


def _rounded(value: np.float32) -> int:
    return math.floor(float(value) + 0.5)


def softmax_powers(taken: Tensor, beta: float) -> npt.NDArray[np.float32]:
    """exp(-scale * beta * (255 - i)), float32, (256,). Source: PopulateSoftmaxLookupTable."""
    scale = -taken.scale * np.float32(beta)
    return expf(scale * np.arange(255, -1, -1).astype(np.float32))


def expf(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The exponential of float32 as C libraries compute it, which is not always the nearest float32.

    Source: expf.c of ARM's optimized routines, which glibc, musl, bionic and newlib share.
    """
    parts = np.rint(values.astype(np.float64) * _PARTS)
    rest = values.astype(np.float64) * _PARTS - parts
    cubic = (_CUBIC[0] * rest + _CUBIC[1]) * (rest * rest) + (_CUBIC[2] * rest + 1)
    whole, fraction = np.divmod(parts, 32)
    powers: npt.NDArray[np.float32] = (cubic * np.exp2(fraction / 32) * np.exp2(whole)).astype(np.float32)
    return powers
