"""Functions of C's library, to the last bit."""

import numpy as np
import numpy.typing as npt

_PARTS = float.fromhex("0x1.71547652b82fep+5")  # 32 / ln 2
_CUBIC = [
    float.fromhex("0x1.c6af84b912394p-20"),
    float.fromhex("0x1.ebfce50fac4f3p-13"),
    float.fromhex("0x1.62e42ff0c52d6p-6"),
]


def expf(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The exponential of float32 as C libraries compute it, which is not always the nearest float32.

    Source: expf.c of ARM's optimized routines, which glibc, musl, bionic and newlib share.
    """
    parts = np.rint(values.astype(np.float64) * _PARTS)
    rest = values.astype(np.float64) * _PARTS - parts
    cubic = (_CUBIC[0] * rest + _CUBIC[1]) * (rest * rest) + (_CUBIC[2] * rest + 1)
    whole, fraction = np.divmod(parts, 32)
    with np.errstate(over="ignore"):  # to infinity, as in C
        powers: npt.NDArray[np.float32] = (cubic * np.exp2(fraction / 32) * np.exp2(whole)).astype(np.float32)
    return powers
