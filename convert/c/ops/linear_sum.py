"""A sum or a difference of two int8 as one product of integers, where it is TFLite's for all pairs."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Wide = npt.NDArray[np.int64]

_FIELDS = ("one_factor", "other_factor", "linear_rounding_high", "linear_rounding_low", "linear_shift")
_BYTES = np.arange(-128, 128, dtype=np.int64)
_HALF = 15  # bits of the lower half of a factor: two halves are two products of 16 bits
_FACTOR, _SHIFT = 30, 23  # bits of the larger factor; the most that the upper half is shifted, so that 32 bits hold it
_NUDGES = (0, 1, -1, 4, -4, 16, -16, 64, -64, 256, -256, 1024, -1024)  # ties, and what TFLite rounds on the way


def linear_sum(fields: Mapping[str, int]) -> dict[str, int]:
    """Factors that give the sum of `struct add`.

    It is (one * one_factor + other * other_factor + linear_rounding) >> (15 + linear_shift), clamped.

    The reference rounds three times, so that no factors are right by themselves: all 65,536 pairs are tried.

    Args:
        fields: of `struct add`.

    Returns:
        The fields of the linear sum, zeros where no factors that were tried give all sums.
    """
    one, other = (_real(fields, side) * _real(fields, "") * 2.0**20 for side in ("one_", "other_"))
    bits = min(_FACTOR - math.frexp(max(one, other))[1], _HALF + _SHIFT)
    if bits <= _HALF or not min(one, other):
        return dict.fromkeys(_FIELDS, 0)
    other *= _sign(fields)
    one_factor, other_factor = (round(math.ldexp(real, bits)) for real in (one, other))
    offset = fields["zero_point"] - one * fields["one_zero_point"] - other * fields["other_zero_point"]
    products, expected = _BYTES[:, np.newaxis] * one_factor + _BYTES * other_factor, _reference(fields)
    for nudge in _NUDGES:
        rounding = round(math.ldexp(offset + 0.5, bits)) + nudge
        sums = ((products + rounding) >> bits).clip(fields["least"], fields["most"])
        if (sums == expected).all():
            halves = divmod(rounding, 2**_HALF)
            return dict(zip(_FIELDS, (one_factor, other_factor, *halves, bits - _HALF), strict=True))
    return dict.fromkeys(_FIELDS, 0)


def _real(fields: Mapping[str, int], side: str) -> float:
    return math.ldexp(fields[f"{side}multiplier"], -31 - fields[f"{side}shift"])


def _sign(fields: Mapping[str, int]) -> int:
    """What the other value is multiplied by in a sum or a difference."""
    return -1 if fields["is_difference"] else 1


def _reference(fields: Mapping[str, int]) -> Wide:
    """The sums of all pairs, (256, 256), as kernels/add.h computes them."""
    one, other = (
        rescaled((_BYTES - fields[f"{side}_zero_point"]) << 20, fields[f"{side}_multiplier"], fields[f"{side}_shift"])
        for side in ("one", "other")
    )
    total = rescaled(one[:, np.newaxis] + _sign(fields) * other, fields["multiplier"], fields["shift"])
    sums: Wide = (total + fields["zero_point"]).clip(fields["least"], fields["most"])
    return sums


def rescaled(values: Wide, multiplier: int, shift: int) -> Wide:
    """Values as `rescale` of kernels/common.h leaves them, shifts to the right alone."""
    high = (values * multiplier + (1 << 30)) >> 31
    return high if shift == 0 else (high + (1 << (shift - 1)) + (high >> 63)) >> shift
