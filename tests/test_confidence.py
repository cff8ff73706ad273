"""Intervals of shares and losses, and McNemar's test, against published and exact values."""

import math
from fractions import Fraction

import numpy as np
import pytest

from edgecnn.confidence import loss_interval, mcnemar, wilson


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [(9895, 10000, 0.98730, 0.99132), (0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (50, 100, 0.40383, 0.59617)],
)
def test_wilson_gives_the_published_interval(correct: int, images: int, low: float, high: float) -> None:
    assert wilson(correct / images, images) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize(("lost", "gained", "p"), [(0, 0, 1), (10, 0, 0.001953125), (5, 3, 0.7265625), (4, 4, 1)])
def test_mcnemar_is_exact(lost: int, gained: int, p: float) -> None:
    assert mcnemar(lost, gained) == pytest.approx(p)


@pytest.mark.parametrize("lost", [0, 1, 7, 40, 300, 1000])
@pytest.mark.parametrize("gained", [0, 2, 45, 290, 1000])
def test_mcnemar_equals_the_sum_of_whole_numbers(lost: int, gained: int) -> None:
    tail = sum(math.comb(lost + gained, k) for k in range(min(lost, gained) + 1))
    exact = min(Fraction(1), Fraction(2 * tail, 2 ** (lost + gained)))
    assert mcnemar(lost, gained) == pytest.approx(float(exact), rel=1e-12)


def test_mcnemar_takes_a_million_flips_each_way() -> None:
    """The sum of whole numbers would not end today. Expected: the normal approximation, which is good to 1e-5 here."""
    assert mcnemar(1_000_000, 1_000_000) == 1
    z = (2_000 - 1) / math.sqrt(1_998_000)
    assert mcnemar(1_000_000, 998_000) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-4)
    assert mcnemar(1_000_000, 0) == 0


@pytest.mark.parametrize("shares", [(0.012, 0.004), (0.2, 0.1), (0.005, 0.005)])
@pytest.mark.parametrize("images", [100, 1000])
def test_nineteen_in_twenty_intervals_hold_the_true_loss(images: int, shares: tuple[float, float]) -> None:
    drawn = np.random.default_rng(0).multinomial(images, (*shares, 1 - sum(shares)), 2000)
    intervals = np.array([loss_interval(lost, gained, images) for lost, gained, _ in drawn.tolist()])
    held = (intervals[:, 0] <= shares[0] - shares[1]) & (shares[0] - shares[1] <= intervals[:, 1])
    assert 0.94 < held.mean() <= 1
    assert (intervals[:, 1] - intervals[:, 0]).mean() < 7 * np.sqrt(sum(shares) / images + 1 / images**2)
