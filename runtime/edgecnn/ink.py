"""The ink on a photograph: how far each pixel stands out from the ground around it.

The ground of dark ink is the picture without the dark things that are narrower than a window (a closing). So a shadow,
light that falls off and a desk beside the sheet are ground, whatever their shape. Source: J. Serra (1982), "Image
Analysis and Mathematical Morphology": the top-hat transform.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn.morphology import Pixels, closed
from edgecnn.ruling import without_rules

_WINDOW = 0.2  # of the picture's shorter side: no stroke is as wide
_DIMMEST = 32  # grey levels of a ground: noise in the dark is no ink
_SMOOTHED = 64  # pixels of a side from which noise is smoothed for the ground, and rules are looked for
_DEVIATIONS = 5.0  # of noise that are ground
_LEAST = 10  # of 255: weaker ink is ground
_NORMAL = 1.4826  # standard deviations of normal noise in its median absolute deviation


@dataclass(frozen=True)
class Ink:
    """The ink of one polarity.

    Attributes:
        dark: uint8, (height, width): the picture, of light ink its negative.
        strength: uint8, (height, width): of dark ink the share of the ground's light that it takes, of light ink the
            levels that it adds; rules are removed.
        contrast: float32, (height, width): grey levels of `dark` below the ground.
        floor: the strength up to which a pixel is ground.
    """

    dark: Pixels
    strength: Pixels
    contrast: npt.NDArray[np.float32]
    floor: float


def ink_of(grey: Pixels, light: bool) -> Ink:
    """The dark ink, or the light ink, on a picture, uint8, (height, width)."""
    dark = ~grey if light else grey
    side = max(3, round(min(grey.shape) * _WINDOW) | 1)
    ground = np.maximum(closed(_smoothed(dark), side, side), dark).astype(np.float32)
    contrast = ground - dark
    strength = contrast if light else contrast * (255 / np.maximum(ground, _DIMMEST))
    pixels = np.minimum(strength, 255).astype(np.uint8)
    median = _median(pixels)
    noise = _DEVIATIONS * _NORMAL * max(1.0, _median(np.abs(pixels.astype(np.int16) - median).astype(np.uint8)))
    if min(grey.shape) >= _SMOOTHED:
        pixels = without_rules(pixels, median + noise)
    return Ink(dark, pixels, contrast, max(median + noise, _LEAST))


def _smoothed(grey: Pixels) -> Pixels:
    """The means of 3 times 3 pixels."""
    if min(grey.shape) < _SMOOTHED:
        return grey
    padded = np.pad(grey, 1, mode="edge").astype(np.uint16)
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    means: Pixels = ((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) // 9).astype(np.uint8)
    return means


def _median(pixels: Pixels) -> int:
    counts = np.bincount(pixels.ravel(), minlength=256)
    return int(np.searchsorted(np.cumsum(counts), pixels.size / 2))
