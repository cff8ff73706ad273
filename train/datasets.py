"""The data sets one can train on, by name."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays
from edgecnn.images import frame_character
from edgecnn.manifest import Baseline, Frame
from train.mnist import UnavailableError, read_mnist

FRAME = Frame(box=20)  # MNIST's: 20 pixels of digit, centred by mass in 28
SIDE = 28
MNIST_BASELINE = Baseline(accuracy=0.99, max_drop=0.005)

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Data:
    """A data set in memory, split into training and test."""

    name: str
    labels: tuple[str, ...]  # what each class is called
    train_images: Images  # (n, height, width, channels)
    train_labels: Labels  # (n,)
    test_images: Images
    test_labels: Labels
    frame: Frame | None = None
    baseline: Baseline | None = None
    repeats: int = 1  # epochs that stand for one of a recipe's: a small set is gone through more often

    @property
    def sha256(self) -> str:
        """Hash of all images and labels."""
        return hash_arrays((self.train_images, self.train_labels, self.test_images, self.test_labels))


def load(name: str, folder: Path | None = None) -> Data:
    """Load a data set.

    Args:
        name: `mnist`, `digits`, or `auto`: MNIST where it can be had, else digits, which is said aloud on stderr.
        folder: where MNIST's files lie, if the user says so.

    Raises:
        EdgecnnError: a file is missing or damaged.
    """
    if name != "auto":
        return DATASETS[name](folder)
    try:
        return mnist(folder)
    except UnavailableError as error:
        line = (
            f"MNIST IS NOT HERE ({error}). TRAINING ON scikit-learn's digits INSTEAD: THE 0.99 BASELINE DOES NOT APPLY."
        )
        print(f"\n>>> {line}\n", file=sys.stderr, flush=True)
        return digits(None)


def mnist(folder: Path | None) -> Data:
    """MNIST: 60,000 handwritten digits for training and 10,000 for the test."""
    return Data("mnist", _DIGITS, *read_mnist(folder), frame=FRAME, baseline=MNIST_BASELINE)


def digits(folder: Path | None) -> Data:
    """scikit-learn's 1,797 handwritten digits (8x8, 17 grey levels), brought into MNIST's frame. Needs no network.

    One in five, drawn with a fixed seed, is the test split. Source: E. Alpaydin, C. Kaynak (1998), "Optical Recognition
    of Handwritten Digits", UCI Machine Learning Repository.
    """
    from sklearn.datasets import load_digits

    if folder is not None:
        raise EdgecnnError("--data is for mnist: digits come with scikit-learn")
    drawn = load_digits()
    small = (drawn.images * (255 / 16)).astype(np.uint8)
    framed = np.stack([frame_character(np.pad(image, 1), FRAME, (SIDE, SIDE)) for image in small])[..., np.newaxis]
    labels = drawn.target.astype(np.int64)
    order = np.random.default_rng(0).permutation(len(labels))
    test, training = np.split(order, [len(order) // 5])
    return Data(
        "digits", _DIGITS, framed[training], labels[training], framed[test], labels[test], frame=FRAME, repeats=6
    )


_DIGITS = tuple("0123456789")
DATASETS: dict[str, Callable[[Path | None], Data]] = {"mnist": mnist, "digits": digits}
