"""Random changes of photographs that leave them what they show: a network sees every picture anew in every epoch.

All work on a batch at once. One zoom is drawn for a batch, so that its resampling is a product with two matrices; all
else is drawn for each picture. Sources: C. Szegedy et al. (2015), "Going Deeper with
Convolutions" (crops); A. Howard (2013), "Some Improvements on Deep Convolutional Neural Network Based Image
Classification" (colour); Z. Zhong et al. (2020), "Random Erasing Data Augmentation".
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]

_WHITE = 255
_ERASED = 0.2, 0.5  # shares of a side: the least and the most that erasing takes


@dataclass(frozen=True)
class Augmentation:
    """The strongest changes, and how many pictures some of them meet."""

    mirror: bool = False  # every other picture, left and right
    shift: float = 0.0  # share of a side; beyond the picture its edge goes on
    zoom: float = 0.0  # of the logarithm; height and width are drawn apart
    colour: float = 0.0  # brightness, contrast and saturation differ by up to this share
    blur: float = 0.0  # share of the pictures
    erasing: float = 0.0  # share of the pictures of which a rectangle becomes a plain colour


def augment(images: Images, by: Augmentation, random: np.random.Generator) -> Images:
    """Changed copies of a batch.

    Args:
        images: uint8, (n, height, width, channels).
        by: how strongly.
        random: the same state gives the same copies.

    Returns:
        uint8, the shape of `images`.
    """
    copies = _cropped(images.astype(np.float32), by, random)
    if by.mirror:
        mirrored = random.random(len(copies)) < 0.5
        copies[mirrored] = copies[mirrored, :, ::-1]
    if by.blur:
        blurred = random.random(len(copies)) < by.blur
        copies[blurred] = _blurred(copies[blurred])
    if by.colour:
        copies = _coloured(copies, by.colour, random)
    for index in np.flatnonzero(random.random(len(copies)) < by.erasing):
        _erase(copies[index], random)
    return np.rint(copies).astype(np.uint8)


def _cropped(images: _Floats, by: Augmentation, random: np.random.Generator) -> _Floats:
    """Windows of pictures whose edges go on beyond them, resampled to the pictures' size."""
    count, *sides, _ = images.shape
    zooms = np.exp(random.uniform(-by.zoom, by.zoom, 2))
    margins = [round(side * by.shift) for side in sides]
    windows = tuple(
        max(2, min(round(side * zoom), side + 2 * margin))
        for side, zoom, margin in zip(sides, zooms, margins, strict=True)
    )
    padded = np.pad(images, ((0, 0), *((margin, margin) for margin in margins), (0, 0)), mode="edge")
    views: _Floats = np.lib.stride_tricks.sliding_window_view(padded, windows, axis=(1, 2))  # type: ignore[call-overload]
    tops, lefts = (random.integers(0, most, count) for most in views.shape[1:3])
    crops: _Floats = views[np.arange(count), tops, lefts].transpose(0, 2, 3, 1)
    for axis, (window, side) in enumerate(zip(windows, sides, strict=True), start=1):
        if window != side:
            crops = np.moveaxis(np.tensordot(crops, _resampling(window, side), (axis, 1)), -1, axis)
    return np.ascontiguousarray(crops)


def _resampling(window: int, side: int) -> _Floats:
    """Bilinear interpolation from `window` to `side` pixels, (side, window)."""
    places = np.clip((np.arange(side) + 0.5) * window / side - 0.5, 0, window - 1)
    weights = np.maximum(0, 1 - np.abs(places[:, np.newaxis] - np.arange(window)))
    resampling: _Floats = weights.astype(np.float32)
    return resampling


def _blurred(images: _Floats) -> _Floats:
    """Each pixel becomes the mean of 3x3, weighted by binomial coefficients."""
    for axis in (1, 2):
        width = [(0, 0)] * 4
        width[axis] = (1, 1)
        padded = np.pad(images, width, mode="edge")
        side = images.shape[axis]
        before, here, after = (np.take(padded, range(start, start + side), axis) for start in range(3))
        images = before / 4 + here / 2 + after / 4
    return images


def _coloured(images: _Floats, most: float, random: np.random.Generator) -> _Floats:
    """All in one product: ((image - grey) * saturation + grey - mean) * contrast + mean * brightness."""
    count, *_, channels = images.shape
    brightness, contrast, saturation = random.uniform(1 - most, 1 + most, (3, count, 1, 1)).astype(np.float32)
    grey = np.full((channels, channels), 1 / channels, np.float32)
    factors = contrast * (saturation * np.eye(channels, dtype=np.float32) + (1 - saturation) * grey)
    pixels: _Floats = images.reshape(count, -1, channels)
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    changed: _Floats = np.clip(pixels @ factors + mean * (brightness - contrast), 0, _WHITE)
    return changed.reshape(images.shape)


def _erase(image: _Floats, random: np.random.Generator) -> None:
    """Make a rectangle of a picture (height, width, channels) a plain colour, in place."""
    height, width = (max(1, round(side * random.uniform(*_ERASED))) for side in image.shape[:2])
    top, left = random.integers(0, image.shape[0] - height + 1), random.integers(0, image.shape[1] - width + 1)
    image[top : top + height, left : left + width] = _WHITE * random.random(image.shape[2], np.float32)
