"""Your own images: a folder with a folder for each class."""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edgecnn.errors import EdgecnnError
from edgecnn.images import SUFFIXES, read_image
from edgecnn.manifest import Input

LEAST_IMAGES = 100  # fewer leave too little to calibrate and to judge by


def read_folder(
    folder: Path, shape: tuple[int, int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], tuple[str, ...]]:
    """Read every image below `folder`, scaled to `shape` (height, width, channels).

    Returns:
        Images (n, *shape), their labels (n,), and what each class is called: the folders' names, sorted.

    Raises:
        EdgecnnError: there are no two classes, a class has no images, there are too few in all, or one does not decode.
    """
    if not folder.is_dir():
        raise EdgecnnError(f"--dataset {folder}: neither a data set's name nor a folder of class folders")
    classes = {each.name: _images_in(each) for each in sorted(folder.iterdir()) if each.is_dir()}
    empty = [name for name, files in classes.items() if not files]
    if len(classes) < 2 or empty:
        found = f"no images in {', '.join(empty)}" if empty else f"{len(classes)} class folders"
        raise EdgecnnError(f"{folder} has {found}; wanted: a folder of images for each class, two or more")
    files = [(path, label) for label, paths in enumerate(classes.values()) for path in paths]
    if len(files) < LEAST_IMAGES:
        raise EdgecnnError(f"{folder} has {len(files)} images; {LEAST_IMAGES} are the least to train and judge by")
    wanted = Input(shape, pixel_scale=(1.0,), pixel_offset=(0.0,))
    bar = tqdm(files, desc="reading", unit=" images", leave=False, disable=not sys.stderr.isatty())
    images = np.stack([read_image(path, wanted) for path, _ in bar])
    return images, np.array([label for _, label in files]), tuple(classes)


def _images_in(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
