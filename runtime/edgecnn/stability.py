"""The population stability index: how far the shares of a sample are from those of a reference."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

LEAST = 0.1  # less is no change worth a word. Source: N. Siddiqi (2006), "Credit Risk Scorecards"
LARGE = 0.25  # more is a large one. Source: the same
_NORMAL = 4.753424  # the normal quantile of 1 - 1e-6: a window that slides is looked at often

Counts = npt.NDArray[np.integer[Any]]
Shares = npt.NDArray[np.floating[Any]]


def stability_index(expected: Shares, images: int, counts: Counts) -> Shares:
    """The index by bin; its sum is the population stability index, 0 where all shares are the same.

    Of each bin (actual - expected) * ln(actual / expected). Half an image is added to each bin, so that none is empty.

    Args:
        expected: shares of the reference, (bins,).
        images: of the reference.
        counts: images of the sample, (bins,).

    Source: E. M. Lewis (1992), "An Introduction to Credit Scoring"; it is the sum of both Kullback-Leibler divergences.
    """
    bins = len(expected)
    before = (expected * images + 0.5) / (images + 0.5 * bins)
    now = (counts + 0.5) / (counts.sum() + 0.5 * bins)
    index: Shares = (now - before) * np.log(now / before)
    return index


def critical_index(bins: int, images: int, sample: int) -> float:
    """The index that chance alone exceeds once in a million samples; at least `LEAST`.

    Source: B. Yurdakul (2018), "Statistical Properties of Population Stability Index": without a change the index over
    (1 / images + 1 / sample) follows a chi-square distribution with bins - 1 degrees of freedom.
    """
    return max(LEAST, _chi_square(bins - 1) * (1 / images + 1 / sample))


def ending_index(bins: int, images: int, sample: int) -> float:
    """The index below which a change is over: halfway from what chance gives on average to `critical_index`.

    Near its limit an index of 500 images wavers by a quarter of it; without a lower one a change would begin and end
    again and again.
    """
    return ((bins - 1) * (1 / images + 1 / sample) + critical_index(bins, images, sample)) / 2


def images_needed(bins: int, images: int, window: int) -> int:
    """The images after which chance alone is below `LARGE`; `window` if they are not enough."""
    rest = LARGE / _chi_square(bins - 1) - 1 / images if bins > 1 else 1.0
    return min(window, math.ceil(1 / rest)) if rest > 0 else window


def _chi_square(freedom: int) -> float:
    """The quantile of 1 - 1e-6. Source: E. Wilson, M. Hilferty (1931), "The distribution of chi-square"."""
    if freedom < 1:
        return 0.0
    spread = 2 / (9 * freedom)
    return float(freedom * (1 - spread + _NORMAL * math.sqrt(spread)) ** 3)
