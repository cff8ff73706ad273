"""Your own images: a folder with a folder for each class."""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_image_folder
from edgecnn.errors import EdgecnnError
from edgecnn.image_folders import find_images
from edgecnn.labels import listed
from edgecnn.manifest import Input

LEAST_IMAGES = 100  # fewer leave too little to calibrate and to judge by


def read_folder(folder: Path, shape: tuple[int, int, int]) -> tuple[Dataset, tuple[str, ...]]:
    """Read every image below `folder`, scaled to `shape` (height, width, channels), as `edgecnn check` does.

    Returns:
        The images that can be read, with labels, and what each class is called: the folders' names, sorted.

    Raises:
        EdgecnnError: there are no two classes, a class has no images that can be read, or there are too few in all.
    """
    if not folder.is_dir():
        raise EdgecnnError(f"--dataset {folder}: neither a data set's name nor a folder of class folders")
    files = find_images(folder)
    names = tuple(files.classes)
    _check_classes(folder, names, [name for name, paths in files.classes.items() if not paths])
    places = {name: place for place, name in enumerate(names)}
    data = read_image_folder(files, places, Input(shape, pixel_scale=(1.0,), pixel_offset=(0.0,)), _bar)
    counts = np.bincount(np.asarray(data.labels), minlength=len(names))
    _check_classes(folder, names, [name for name, count in zip(names, counts, strict=True) if count == 0])
    if len(data) < LEAST_IMAGES:
        raise EdgecnnError(f"{folder} has {len(data)} images; {LEAST_IMAGES} are the least to train and judge by")
    return data, names


def _check_classes(folder: Path, names: tuple[str, ...], empty: list[str]) -> None:
    if len(names) < 2 or empty:
        problem = f"no images in {listed(empty)}" if empty else f"{len(names)} class folders"
        raise EdgecnnError(f"{folder} has {problem}; wanted: a folder of images for each class, two or more")


def _bar(files: list[Path]) -> "tqdm[Path]":
    return tqdm(files, desc="reading", unit=" images", leave=False, disable=not sys.stderr.isatty())
