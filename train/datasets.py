"""The data sets one can train on. To add one, write a function that returns `Data`, and a row in `DATA_SETS`."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays
from edgecnn.images import frame_drawing
from edgecnn.labels import split_labels
from edgecnn.manifest import Baseline, CharacterFrame
from train.folders import decode_pictures
from train.idx import read_idx_folder
from train.layouts import TEST, VALIDATION, list_pictures
from train.mnist import UnavailableError, read_mnist
from train.picture_cache import cached
from train.picture_notes import kept_together, left_out_with_reason, shared_pictures
from train.picture_shape import picture_shape
from train.splits import Indices, Splits, split_beside, split_test, split_training
from train.unpacking import unpacked

FRAME = CharacterFrame(box=20)  # MNIST's: 20 pixels of digit, centred by mass in 28
SIDE = 28
MNIST_BASELINE = Baseline(accuracy=0.99, max_drop=0.005)
_ENOUGH, _MOST_REPEATS = 40_000, 6  # images for one epoch of a recipe's; epochs instead of one

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Names = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Data:
    """A data set in memory, split into training and test."""

    name: str
    labels: tuple[str, ...]  # what each class is called
    train_images: Images  # (n, height, width, channels)
    train_labels: Labels  # (n,)
    test_images: Images
    test_labels: Labels
    frame: CharacterFrame | None = None
    baseline: Baseline | None = None
    train_names: Names | None = None  # (n,): the images' files, if they came from files
    test_names: Names | None = None
    train_groups: Indices | None = None  # (n,): near-duplicates have the same number, and stay in one split
    test_groups: Indices | None = None
    own_validation: Indices | None = None  # of the training images: those that came as the split for validation
    stratified: bool = True  # whether every split has its share of every class
    notes: tuple[str, ...] = ()  # how the images were read, in words
    warnings: tuple[str, ...] = ()  # what to know of the images, in words
    unread: Mapping[str, str] = field(default_factory=dict)  # files that are left out, and why

    @cached_property
    def sha256(self) -> str:
        """Hash of all images and labels."""
        return hash_arrays((self.train_images, self.train_labels, self.test_images, self.test_labels))

    @cached_property
    def splits(self) -> Splits:
        """The training images' indices: for calibration, for validation, and all that are not for validation."""
        strata = self.train_labels if self.stratified else None
        if self.own_validation is not None:
            return split_beside(self.train_images, self.own_validation, strata)
        return split_training(self.train_images, strata, self.train_groups)

    @property
    def counts(self) -> dict[str, int]:
        """The number of images by class, for training and for the test together."""
        labels = np.concatenate([self.train_labels, self.test_labels])
        return dict(zip(self.labels, np.bincount(labels, minlength=len(self.labels)).tolist(), strict=True))

    @property
    def repeats(self) -> int:
        """Epochs for one of a recipe's: a small set is seen more often."""
        return max(1, min(_MOST_REPEATS, round(_ENOUGH / len(self.train_images))))


def load(
    name: str,
    folder: Path | None = None,
    labels: str | None = None,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
) -> Data:
    """Load a data set.

    Args:
        name: a key of `DATA_SETS`, a folder or a ZIP file of class folders, or `auto`: MNIST if it can be had, else
            digits, with a warning on stderr.
        folder: where MNIST's files lie, or, with `labels`, other files in MNIST's format.
        labels: what the classes of such other files are called, see `edgecnn.labels.split_labels`.
        size: height and width that images in class folders are scaled to; None: by what is there.
        channels: 1 or 3, of images in class folders; None: by what is there.

    Raises:
        EdgecnnError: a file is missing or damaged, or the arguments do not fit each other.
    """
    if labels:
        return _in_mnist_format(name, folder, labels)
    if folder:
        return _mnist_of(name, folder)
    if name == "auto":
        return _mnist_or_digits()
    return DATA_SETS[name]() if name in DATA_SETS else _class_folders(Path(name), size, channels)


def _mnist_of(name: str, folder: Path) -> Data:
    if name not in ("mnist", "auto"):
        raise EdgecnnError("--data names the folder of MNIST's four files, or with --labels of others in their format")
    return mnist(folder)


def _mnist_or_digits() -> Data:
    try:
        return mnist()
    except UnavailableError as error:
        line = (
            f"MNIST IS NOT HERE ({error}). TRAINING ON scikit-learn's digits INSTEAD: THE 0.99 BASELINE DOES NOT APPLY."
        )
        print(f"\n>>> {line}\n", file=sys.stderr, flush=True)
        return digits()


def _in_mnist_format(name: str, folder: Path | None, labels: str) -> Data:
    if folder is None or name != "auto":
        raise EdgecnnError("--labels names the classes of files in MNIST's format: name their folder with --data")
    classes, arrays = split_labels(labels), read_idx_folder(folder)
    highest = max(int(arrays[1].max()), int(arrays[3].max()))
    if highest >= len(classes):
        raise EdgecnnError(f"--labels names {len(classes)} classes, but {folder} has labels up to {highest}")
    return Data(folder.resolve().name, classes, *arrays)


def _class_folders(path: Path, size: tuple[int, int] | None, channels: int | None) -> Data:
    name = bounds.text(path.resolve().stem if path.is_file() else path.resolve().name, "--dataset: the name")
    listing = list_pictures(unpacked(path) if path.is_file() else path)
    shape, chosen = picture_shape(listing.files, size, channels)
    pictures = cached(listing, shape, partial(decode_pictures, listing, shape))
    training = int((pictures.splits != TEST).sum())  # these come first
    own = np.flatnonzero(pictures.splits == VALIDATION)
    return Data(
        name,
        listing.classes,
        pictures.images[:training],
        pictures.labels[:training],
        pictures.images[training:],
        pictures.labels[training:],
        train_names=pictures.names[:training],
        test_names=pictures.names[training:],
        train_groups=pictures.groups[:training],
        test_groups=pictures.groups[training:],
        own_validation=own if len(own) else None,
        notes=(*chosen, *kept_together(pictures)),
        warnings=(*listing.notes, *left_out_with_reason(pictures), *shared_pictures(pictures)),
        unread=pictures.unread,
    )


def mnist(folder: Path | None = None) -> Data:
    """MNIST: 60,000 handwritten digits for training and 10,000 for the test.

    Its splits, and those of `digits`, are cut without regard to classes: published figures were measured on them.
    """
    return Data("mnist", _DIGITS, *read_mnist(folder), frame=FRAME, baseline=MNIST_BASELINE, stratified=False)


def digits() -> Data:
    """scikit-learn's 1,797 handwritten digits (8x8, 17 grey levels) in MNIST's frame. Needs no network.

    One in five is the test split. Source: E. Alpaydin, C. Kaynak (1998), "Optical Recognition
    of Handwritten Digits", UCI Machine Learning Repository.
    """
    from sklearn.datasets import load_digits

    drawn = load_digits()
    small = (drawn.images * (255 / 16)).astype(np.uint8).astype(np.float32)
    full = (small / small.max(axis=(1, 2), keepdims=True) * 255).astype(np.uint8)
    framed = np.stack([frame_drawing(image, FRAME, (SIDE, SIDE)) for image in full])[..., np.newaxis]
    labels = drawn.target.astype(np.int64)
    test, training = split_test(framed)
    splits = (framed[training], labels[training], framed[test], labels[test])
    return Data("digits", _DIGITS, *splits, frame=FRAME, stratified=False)


_DIGITS = tuple("0123456789")

DATA_SETS: dict[str, Callable[[], Data]] = {"mnist": mnist, "digits": digits}
