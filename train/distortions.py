"""Random distortions of drawn characters: every copy looks like a slightly different hand.

A copy's pixel is read, bilinearly, at a place in the original that a random affine map (rotation, zoom, shear, shift)
and a smooth random field of displacements determine. Source: P. Simard, D. Steinkraus, J. Platt (2003), "Best Practices
for Convolutional Neural Networks Applied to Visual Document Analysis" (elastic distortions; here the field is drawn on
a coarse grid of knots and smoothed by a Gaussian as wide as their distance, which is equivalent and costs less).
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]

_CHUNK = 1000  # images at a time: what they need fits into the cache
_SPREAD = 0.6  # standard deviation of the smoothing, in distances of knots


@dataclass(frozen=True)
class Distortion:
    """The largest distortions: all but the elastic one are drawn uniformly from minus that value to plus that value."""

    rotation: float  # degrees
    zoom: float  # of the logarithm; height and width are drawn apart
    shear: float  # pixels a pixel
    shift: float  # pixels
    elastic: float  # standard deviation of normally distributed displacements, pixels
    knots: int = 6  # along height and along width


def distort(images: Images, by: Distortion, seed: Sequence[int]) -> Images:
    """Distorted copies of images, one for each; the same seed gives the same copies.

    Args:
        images: uint8, shape (n, height, width, channels).
        by: how strongly.
        seed: any integers.

    Returns:
        uint8, the shape of `images`; pixels outside of an image are 0.
    """
    copies = np.empty_like(images)

    def fill(chunk: int) -> None:
        part = slice(chunk * _CHUNK, (chunk + 1) * _CHUNK)
        random = np.random.default_rng([*seed, chunk])
        copies[part] = _interpolated(images[part], *_places(images[part].shape, by, random))

    with ThreadPoolExecutor() as pool:
        list(pool.map(fill, range(-(-len(images) // _CHUNK))))
    return copies


def _places(shape: tuple[int, ...], by: Distortion, random: np.random.Generator) -> tuple[_Floats, _Floats]:
    """Rows and columns, both (n, height, width), at which the pixels of a copy are read."""
    n, height, width, _ = shape
    (a, b), (c, d) = _affine(n, by, random)
    rows, columns = (np.arange(side, dtype=np.float32) - (side - 1) / 2 for side in (height, width))
    shift = random.uniform(-by.shift, by.shift, (2, n, 1, 1)).astype(np.float32)
    field = random.standard_normal((2, n, by.knots, by.knots), np.float32) * np.float32(by.elastic)
    displacements = _smoothing(height, by.knots) @ field @ _smoothing(width, by.knots).T + shift
    down = a * rows[:, None] + b * columns + displacements[0] + np.float32((height - 1) / 2)
    across = c * rows[:, None] + d * columns + displacements[1] + np.float32((width - 1) / 2)
    return down, across


def _affine(n: int, by: Distortion, random: np.random.Generator) -> _Floats:
    """Matrices as (2, 2, n, 1, 1): rotation x shear x zoom."""
    angle = np.deg2rad(random.uniform(-by.rotation, by.rotation, n))
    taller, wider = np.exp(random.uniform(-by.zoom, by.zoom, (2, n)))
    shear = random.uniform(-by.shear, by.shear, n)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = [[cos * taller, (shear * cos - sin) * wider], [sin * taller, (shear * sin + cos) * wider]]
    return np.array(matrix, np.float32)[..., None, None]


def _smoothing(side: int, knots: int) -> _Floats:
    """From knots to pixels, (side, knots); every row has norm 1, so that displacements keep their variance."""
    between = (side - 1) / (knots - 1)
    away = (np.arange(side)[:, None] - np.arange(knots) * between) / (between * _SPREAD)
    weights = np.exp(-(away**2) / 2)
    smoothing: _Floats = (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)
    return smoothing


def _interpolated(images: Images, down: _Floats, across: _Floats) -> Images:
    """Bilinear values of `images` at rows `down` and columns `across`."""
    n, height, width, channels = images.shape
    padded = np.pad(images, ((0, 0), (1, 2), (1, 2), (0, 0)))
    down, across = np.clip(down + 1, 0, height + 1), np.clip(across + 1, 0, width + 1)
    row, column = down.astype(np.int32), across.astype(np.int32)
    below, right = (down - row)[..., None], (across - column)[..., None]
    pixels = padded.reshape(-1, channels)
    line = width + 3
    first = (row + (np.arange(n, dtype=np.int32) * (height + 3))[:, None, None]) * line + column
    corners = (pixels[first + step].astype(np.float32) for step in (0, 1, line, line + 1))
    top_left, top_right, bottom_left, bottom_right = corners
    top = top_left + (top_right - top_left) * right
    bottom = bottom_left + (bottom_right - bottom_left) * right
    copies: Images = np.rint(top + (bottom - top) * below).astype(np.uint8)
    return copies
