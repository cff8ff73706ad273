"""Which images serve for the fit, for calibration, for validation and for the test.

Images are ordered by the SHA-256 of their pixels and the order is cut into splits, never between two equal images: so a
duplicate is on the same side as its original, and an image that is added moves few others.
"""

import hashlib

import numpy as np
import numpy.typing as npt

CALIBRATION, VALIDATION = 1000, 5000  # images; fewer where the split is small
TEST_SHARE = 5  # one image in so many, of a data set that comes without a test split

Images = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.intp]


def cut(images: Images, *sizes: int) -> list[Indices]:
    """Cut `images` (n, height, width, channels) into splits of at least `sizes` images, and the rest.

    Returns:
        Indices for each size and for the rest, each sorted.
    """
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    order = sorted(range(len(images)), key=lambda index: (digests[index], index))
    ends = [0]
    for size in sizes:
        end = min(ends[-1] + size, len(order))
        while 0 < end < len(order) and digests[order[end]] == digests[order[end - 1]]:
            end += 1
        ends.append(end)
    return [np.sort(np.array(part, np.intp)) for part in np.split(np.array(order, np.intp), ends[1:])]


def split_training(images: Images) -> tuple[Indices, Indices, Indices]:
    """Indices of a training split's images for calibration, for validation, and of all but the validation's."""
    sizes = min(CALIBRATION, len(images) // 8), min(VALIDATION, len(images) // 4)
    calibration, validation, _ = cut(images, *sizes)
    return calibration, validation, np.setdiff1d(np.arange(len(images)), validation)


def split_test(images: Images) -> tuple[Indices, Indices]:
    """Indices for the test and for the training, of a data set that comes without a test split."""
    test, training = cut(images, len(images) // TEST_SHARE)
    return test, training
