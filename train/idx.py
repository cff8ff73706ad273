"""IDX, the format of MNIST and of data sets like it (Fashion-MNIST, KMNIST, EMNIST)."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_UINT8 = 8

Split = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]


def read_idx_folder(folder: Path) -> tuple[*Split, *Split]:
    """Read the four files, gzipped or not, of a data set in MNIST's format.

    Returns:
        Training images (n, height, width, 1), their labels (n,), test images, their labels.

    Raises:
        EdgecnnError: a file is missing or damaged, or there are not as many labels as images.
    """
    paths = [gzipped if (gzipped := folder / f"{name}.gz").exists() else folder / name for name in NAMES]
    return as_splits(folder, [parse_idx(str(path), read_file(path)) for path in paths])


def as_splits(source: Path, arrays: list[npt.NDArray[np.uint8]]) -> tuple[*Split, *Split]:
    """The four arrays of a data set as images with a channel axis and labels.

    Raises:
        EdgecnnError: they are not as many labels as images, or none.
    """
    train_images, train_labels, test_images, test_labels = arrays
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.ndim != 3 or labels.shape != images.shape[:1] or images.size == 0:
            raise EdgecnnError(f"{source} holds images of shape {images.shape} and labels of shape {labels.shape}")
    return (
        train_images[..., np.newaxis],
        train_labels.astype(np.int64),
        test_images[..., np.newaxis],
        test_labels.astype(np.int64),
    )


def parse_idx(source: str, data: bytes) -> npt.NDArray[np.uint8]:
    """The array in an IDX file: two zero bytes, type (8: uint8), rank, each side as big-endian int32, values.

    Raises:
        EdgecnnError: it is no IDX file of bytes, or it is cut short.
    """
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        if data[:3] != bytes((0, 0, _UINT8)):
            raise ValueError("it does not begin as an IDX file of bytes does")
        shape = np.frombuffer(data, ">i4", count=data[3], offset=4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)
    except (ValueError, IndexError, EOFError, OSError, zlib.error) as error:
        raise EdgecnnError(f"{source} is no IDX file, or it is damaged ({error}): get it again") from None
