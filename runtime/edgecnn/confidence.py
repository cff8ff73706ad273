"""What chance alone explains: intervals of shares and of losses, and McNemar's test of paired answers."""

import math

_Z95 = 1.959963984540054  # the normal quantile of 0.975
_NEGLIGIBLE = 1e-17  # of a sum: what comes after changes no digit of it


def wilson(share: float, images: int, z: float = _Z95) -> tuple[float, float]:
    """The Wilson score interval of a share of so many images, 95 % by default.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    weight = z * z / images
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / images + weight / (4 * images))
    return max(0.0, middle - half), min(1.0, middle + half)


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided p of McNemar's test: how often chance alone flips this unevenly.

    The tail of the binomial is summed from its largest term down, a term from the one before: some 6,000 terms at a
    million flips each way, and no number that grows with them. Source: Q. McNemar (1947); the exact form is a binomial
    test of `lost` among `lost + gained` with share 1/2.
    """
    flips, fewer = lost + gained, min(lost, gained)
    logarithm = math.lgamma(flips + 1) - math.lgamma(fewer + 1) - math.lgamma(flips - fewer + 1) - flips * math.log(2)
    term, tail = 1.0, 0.0  # in units of the largest
    for count in range(fewer, -1, -1):
        tail += term
        term *= count / (flips - count + 1)
        if term < _NEGLIGIBLE * tail:
            break
    return min(1.0, 2 * tail * math.exp(logarithm))


def loss_interval(lost: int, gained: int, images: int) -> tuple[float, float]:
    """The 95 % interval of the share of right answers that is lost, net, of which `images` are a sample.

    Source: D. G. Bonett, R. M. Price (2012), "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data": one flip each way and two images are added, so that it holds for few
    flips.
    """
    loss, deviation = _adjusted(lost, gained, images)
    half = _Z95 * deviation / math.sqrt(images + 2)
    return max(-1.0, loss - half), min(1.0, loss + half)


def images_for_loss(lost: int, gained: int, images: int, precision: float) -> int:
    """About how many images it takes to know the net loss to plus or minus `precision` (a share, 95 %)."""
    return _two_digits((_Z95 * _adjusted(lost, gained, images)[1] / precision) ** 2)


def images_for_share(correct: int, images: int, precision: float) -> int:
    """About how many images it takes to know a share to plus or minus `precision` (95 %)."""
    share = (correct + 1) / (images + 2)
    return _two_digits(share * (1 - share) * (_Z95 / precision) ** 2)


def _adjusted(lost: int, gained: int, images: int) -> tuple[float, float]:
    """The net loss of an image, and the standard deviation of that, with one flip more each way."""
    loss, flips = (lost - gained) / (images + 2), (lost + gained + 2) / (images + 2)
    return loss, math.sqrt(max(0.0, flips - loss**2))


def _two_digits(number: float) -> int:
    """Rounded up to two digits: an estimate is not known better."""
    unit = int(10 ** max(0, math.floor(math.log10(number)) - 1))
    return math.ceil(number / unit) * unit
