"""Where fixed-point arithmetic gives what TFLite's reference kernels give, worked out from a layer's own numbers.

Sums, multipliers and outputs of a layer are known before its C is written, so that exactness costs no instruction
there: a kernel that rounds otherwise for some sum that the layer can have is not called for it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from convert.c.fixed_point import LEAST, MOST, multiplier
from convert.c.step import Bytes, Ints

Wide = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

_END = 2**31  # of 32 bits
_FAR = MOST - LEAST + 1  # outputs beyond are the same once they are clamped, whatever the zero point
_NEARBY = (0, 1, -1, 2, -2, 3, -3)  # multipliers to try: one more rounds ties away from zero


def sums(weights: Bytes, bias: Ints, zero_point: int) -> tuple[Wide, Wide]:
    """The least and the largest sum that each output channel can have.

    Args:
        weights: (channels, ...), int8.
        bias: (channels,), as the file has it.
        zero_point: of the input.

    Returns:
        Two arrays (channels,), beyond 32 bits where the sums are.
    """
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    positive, negative = np.maximum(rows, 0).sum(axis=1), np.minimum(rows, 0).sum(axis=1)
    low, high = LEAST - zero_point, MOST - zero_point
    return bias + positive * low + negative * high, bias + positive * high + negative * low


def fit_32_bits(least: Wide, largest: Wide) -> bool:
    """Whether no sum wraps around: only then is the largest of sums the largest of outputs."""
    return bool((least >= -_END).all() and (largest < _END).all())


def vectors_are_exact(least: Wide, largest: Wide, multipliers: Ints, shifts: Ints) -> bool:
    """Whether 32 bits hold twice a sum, and what the kernels for a CPU's own instructions add before they shift."""
    magnitude = np.minimum(np.maximum(np.abs(least), np.abs(largest)), _END)
    high = (magnitude * multipliers.astype(np.int64) + 2**30) >> 31
    within = (shifts >= 1) & (shifts <= 31) & (magnitude < _END // 2)
    return bool(within.all() and (high + (1 << np.maximum(shifts.astype(np.int64) - 1, 0)) < _END).all())


def dense_multipliers(reals: Sequence[float], least: Wide, largest: Wide) -> tuple[Ints, Ints] | None:
    """Multipliers and shifts that round once, half up, and give round(sum * real) for every sum that can be.

    TFLite's reference kernel for dense layers multiplies by a double and rounds half away from zero.

    Args:
        reals: what the sums of each channel are multiplied by.
        least: the least sum of each channel.
        largest: the largest.

    Returns:
        Two arrays (channels,); nothing where no multiplier of 31 bits does it.
    """
    exact = []
    for channel in zip(reals, least.tolist(), largest.tolist(), strict=True):
        pair = _dense_multiplier(*channel)
        if pair is None:
            return None
        exact.append(pair)
    multipliers, shifts = zip(*exact, strict=True)
    return np.array(multipliers, np.int32), np.array(shifts, np.int32)


def _dense_multiplier(real: float, least: int, largest: int) -> tuple[int, int] | None:
    plain, shift = multiplier(real)
    about = _sums_about_steps(real).clip(max(least, -_END), min(largest, _END - 1))
    reference = rounded(about * real).clip(-_FAR, _FAR)
    for fixed in (plain + more for more in _NEARBY):
        outputs = (about * fixed + (1 << (30 + shift))) >> (31 + shift)
        if 0 <= fixed < _END and (outputs.clip(-_FAR, _FAR) == reference).all():
            return fixed, shift
    return None


def _sums_about_steps(real: float) -> Wide:
    """The sums beside each place where the output steps: rounding is monotone, what holds there holds between."""
    steps = np.arange(-_FAR, _FAR + 1)
    middle = np.clip((steps - 0.5) / real, -_END, _END)
    near: Wide = (np.floor(middle).astype(np.int64)[:, np.newaxis] + np.arange(-2, 3)).ravel()
    return near


def rounded(values: Reals) -> Reals:
    """To the nearest integer, half away from zero, as C's round."""
    whole = np.trunc(values)
    away: Reals = whole + (values >= whole + 0.5) - (values <= whole - 0.5)
    return away
