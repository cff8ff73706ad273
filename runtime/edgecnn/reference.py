"""Statistics of the validation images and of the answers to them, which tell later whether pictures have changed."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.bounded import Bounded
from edgecnn.errors import EdgecnnError

PIXELS = ("brightness", "contrast", "detail")  # statistics of an image's pixels
STATISTICS = (*PIXELS, "probability", "labels")  # what is compared
_SIDE = 64  # pixels of a side are looked at, at least, of larger images
_LEVELS = (0.01, 0.02, 0.05, *(level / 10 for level in range(1, 10)))  # quantiles that bound the bins


@dataclass(frozen=True)
class Histogram(Bounded):
    """How a statistic is distributed over images."""

    mean: float
    edges: tuple[float, ...]  # between bins
    shares: tuple[float, ...]  # of images, by bin

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shares(self.shares)
        if len(self.shares) != len(self.edges) + 1 or any(a >= b for a, b in itertools.pairwise(self.edges)):
            raise EdgecnnError(f"a histogram has {len(self.edges)} edges, not rising, for {len(self.shares)} bins")


@dataclass(frozen=True)
class Reference(Bounded):
    """The statistics of validation images, as the network gets them, and of a converted model's answers."""

    images: int
    brightness: Histogram  # mean of an image's pixels, 0 to 255
    contrast: Histogram  # their standard deviation
    detail: Histogram  # mean difference of neighbours: low out of focus, high in noise
    probability: Histogram  # of the answer, at the manifest's temperature
    labels: tuple[float, ...]  # shares of the answers, by label

    def __post_init__(self) -> None:
        super().__post_init__()
        bounds.whole(self.images, "images", 1)
        check_shares(self.labels)


def check_shares(shares: tuple[float, ...]) -> None:
    """Refuse what are no shares of a whole."""
    for share in shares:
        bounds.number(share, "a share", 0, 1)
    bounds.number(sum(shares), "the sum of shares", 0.99, 1.01)


def statistics(image: npt.NDArray[np.uint8]) -> tuple[float, float, float]:
    """Brightness, contrast and detail of an image, (height, width) or (height, width, channels)."""
    step = max(1, min(image.shape[:2]) // _SIDE)
    pixels = image[::step, ::step].astype(np.float32)
    detail = np.abs(np.diff(pixels, axis=1)).mean() if pixels.shape[1] > 1 else 0.0
    return float(pixels.mean()), float(pixels.std()), float(detail)


def reference_of(images: npt.NDArray[np.uint8], probabilities: npt.NDArray[np.float32]) -> Reference:
    """The reference of images, (n, height, width, channels), and of a model's probabilities, (n, labels)."""
    pixels = np.array([statistics(image) for image in images])
    brightness, contrast, detail = map(histogram, pixels.T)
    counts = np.bincount(probabilities.argmax(axis=1), minlength=probabilities.shape[1])
    shares = _rounded(counts / len(images))
    return Reference(len(images), brightness, contrast, detail, histogram(probabilities.max(axis=1)), shares)


def histogram(values: npt.NDArray[np.floating[Any]]) -> Histogram:
    """The distribution of values over bins bounded by their quantiles.

    Edges lie halfway between two values: another engine may be off by a rounding.
    """
    distinct, counts = np.unique(values.astype(np.float64), return_counts=True)
    places = np.searchsorted(counts.cumsum(), np.asarray(_LEVELS) * len(values))
    middles = [(distinct[place - 1] + distinct[place]) / 2 for place in np.unique(places) if place]
    edges = np.unique(np.round(middles, 9)) if middles else np.array([distinct[0] - 1e-3])
    shares = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) / len(values)
    return Histogram(float(round(values.mean(dtype=np.float64), 6)), tuple(edges.tolist()), _rounded(shares))


def _rounded(shares: npt.NDArray[np.floating[Any]]) -> tuple[float, ...]:
    return tuple(np.round(shares, 9).tolist())
