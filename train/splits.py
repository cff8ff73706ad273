"""Cut a data set into images for the fit, for calibration, for validation and for the test.

Images are sorted by the SHA-256 of their pixels, and that order is cut, never between two equal images nor within a
group of near-duplicates: a duplicate is in the same split as its original, and one more image moves few others. With
labels every class is sorted and cut by itself, so that a rare class is in every split.
"""

import hashlib
from bisect import bisect_left
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

CALIBRATION, VALIDATION = 1000, 5000  # images; fewer where the split is small
TEST_SHARE = 5  # one image in five, of a data set without a test split

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]


class Splits(NamedTuple):
    """Indices of a training split, sorted."""

    calibration: Indices
    validation: Indices
    fitted: Indices  # all that are not for validation


def cut(images: Images, *sizes: int, labels: Labels | None = None, groups: Indices | None = None) -> list[Indices]:
    """Cut `images` (n, height, width, channels) into splits of at least `sizes` images, and the rest.

    With `labels` (n,) every class is cut by itself, in the same shares; a class with few images goes to the rest first,
    then to the earlier splits. Images of one group, by `groups` (n,), stay together.

    Returns:
        Sorted indices of every split, and of the rest.
    """
    digests = _digests(images, groups)
    order = sorted(range(len(images)), key=lambda index: (digests[index], index))
    strata = [order] if labels is None else _strata(order, digests, labels)
    cuts = []
    for stratum in strata:
        shares = [-(-size * len(stratum) // len(order)) for size in sizes]
        ends = _ends([digests[index] for index in stratum], shares)
        cuts.append(np.split(np.array(stratum, np.intp), ends))
    return [np.sort(np.concatenate(parts)) for parts in zip(*cuts, strict=True)]


def _digests(images: Images, groups: Indices | None) -> list[bytes]:
    """The SHA-256 of every image; in a group the least of its images'."""
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    if groups is None:
        return digests
    least: dict[int, bytes] = {}
    for group, digest in zip(groups.tolist(), digests, strict=True):
        least[group] = min(digest, least.get(group, digest))
    return [least[group] for group in groups.tolist()]


def _strata(order: list[int], digests: list[bytes], labels: Labels) -> list[list[int]]:
    """Indices by class, in their order; equal images belong to the class of the first of them."""
    classes: dict[bytes, int] = {}
    strata: dict[int, list[int]] = {}
    for index in order:
        strata.setdefault(classes.setdefault(digests[index], int(labels[index])), []).append(index)
    return list(strata.values())


def _ends(digests: list[bytes], sizes: list[int]) -> list[int]:
    """Where splits of these sizes end: not between two equal images, and before the last image."""
    starts = [0, *(place for place in range(1, len(digests)) if digests[place] != digests[place - 1])]
    ends = [0]
    for size in sizes:
        ends.append(starts[min(bisect_left(starts, ends[-1] + size), len(starts) - 1)])
    return ends[1:]


def split_training(images: Images, strata: Labels | None = None, groups: Indices | None = None) -> Splits:
    """Cut a training split by size, see `cut`."""
    sizes = min(CALIBRATION, len(images) // 8), min(VALIDATION, len(images) // 4)
    calibration, validation, _ = cut(images, *sizes, labels=strata, groups=groups)
    return Splits(calibration, validation, np.setdiff1d(np.arange(len(images)), validation))


def split_beside(images: Images, validation: Indices, strata: Labels | None = None) -> Splits:
    """Cut the images for calibration off a training split whose images for validation are known."""
    fitted = np.setdiff1d(np.arange(len(images)), validation)
    size = min(CALIBRATION, len(fitted) // 8)
    calibration, _ = cut(images[fitted], size, labels=None if strata is None else strata[fitted])
    return Splits(fitted[calibration], validation, fitted)


def split_test(images: Images, strata: Labels | None = None, groups: Indices | None = None) -> tuple[Indices, Indices]:
    """Indices for the test and for the training, of a data set without a test split."""
    test, training = cut(images, len(images) // TEST_SHARE, labels=strata, groups=groups)
    return test, training
