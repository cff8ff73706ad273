"""Cut a data set into images for the fit, for calibration, for validation and for the test.

Images are sorted by the SHA-256 of their pixels, and that order is cut, never between two equal images: a duplicate is
in the same split as its original, and one more image moves few others. With labels every class is sorted and cut by
itself, so that a rare class is in every split.
"""

import hashlib
from bisect import bisect_left

import numpy as np
import numpy.typing as npt

CALIBRATION, VALIDATION = 1000, 5000  # images; fewer where the split is small
TEST_SHARE = 5  # one image in five, of a data set without a test split

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Indices = npt.NDArray[np.intp]


def cut(images: Images, *sizes: int, labels: Labels | None = None) -> list[Indices]:
    """Cut `images` (n, height, width, channels) into splits of at least `sizes` images, and the rest.

    With `labels` (n,) every class is cut by itself, in the same shares; a class with few images goes to the rest first,
    then to the earlier splits.

    Returns:
        Sorted indices of every split, and of the rest.
    """
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    order = sorted(range(len(images)), key=lambda index: (digests[index], index))
    strata = [order] if labels is None else _strata(order, digests, labels)
    cuts = []
    for stratum in strata:
        shares = [-(-size * len(stratum) // len(order)) for size in sizes]
        ends = _ends([digests[index] for index in stratum], shares)
        cuts.append(np.split(np.array(stratum, np.intp), ends))
    return [np.sort(np.concatenate(parts)) for parts in zip(*cuts, strict=True)]


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


def split_training(images: Images, strata: Labels | None = None) -> tuple[Indices, Indices, Indices]:
    """Indices of a training split: for calibration, for validation, and all that are not for validation."""
    sizes = min(CALIBRATION, len(images) // 8), min(VALIDATION, len(images) // 4)
    calibration, validation, _ = cut(images, *sizes, labels=strata)
    return calibration, validation, np.setdiff1d(np.arange(len(images)), validation)


def split_test(images: Images, strata: Labels | None = None) -> tuple[Indices, Indices]:
    """Indices for the test and for the training, of a data set without a test split."""
    test, training = cut(images, len(images) // TEST_SHARE, labels=strata)
    return test, training
