"""Mixed pictures: a batch and its reverse, blended or pasted into each other, with their targets in the same shares.

Sources: H. Zhang et al. (2018), "mixup: Beyond Empirical Risk Minimization"; S. Yun et al. (2019), "CutMix:
Regularization Strategy to Train Strong Classifiers with Localizable Features".
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

_CONCENTRATION = 0.4  # of the beta distribution of shares: most pictures stay nearly as they are


def mix(images: Floats, targets: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Blend, or every other time paste, each picture of a batch with the one at its place from the end.

    Args:
        images: (n, height, width, channels).
        targets: (n, classes), rows that add up to 1.
        random: the same state gives the same mixture.

    Returns:
        The mixed images and targets, of the same shapes.
    """
    drawn = random.beta(_CONCENTRATION, _CONCENTRATION)
    share = max(drawn, 1 - drawn)  # a picture keeps half of itself or more
    if random.random() < 0.5:
        return _blend(images, share), _blend(targets, share)
    pasted, covered = images.copy(), _rectangle(images.shape, 1 - share, random)
    pasted[covered] = images[::-1][covered]
    area = pasted[covered][..., 0].size / images[..., 0].size
    return pasted, _blend(targets, 1 - area)


def _blend(rows: Floats, share: float) -> Floats:
    blended: Floats = np.float32(share) * rows + np.float32(1 - share) * rows[::-1]
    return blended


def _rectangle(shape: tuple[int, ...], area: float, random: np.random.Generator) -> tuple[Any, ...]:
    """The place of a rectangle with a share of the area of images (n, height, width, channels)."""
    place: list[slice] = [slice(None)]
    for side in shape[1:3]:
        length = round(side * area**0.5)
        start = int(random.integers(0, side - length + 1))
        place.append(slice(start, start + length))
    return tuple(place)
