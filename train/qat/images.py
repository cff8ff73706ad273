"""The images that a model was trained on, and is trained on with."""

import argparse
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from train.datasets import DATA_SETS, Data, load


def dataset_name(path: Path, manifest: Manifest | None, named: str | None) -> str:
    """The data set of `train.datasets.load` that a model was trained on.

    Args:
        path: of the model.
        manifest: its manifest; None for a model of another tool.
        named: by the option.

    Raises:
        EdgecnnError: nobody says which it is.
    """
    known = manifest.training.dataset if manifest and manifest.training else ""
    if named is None and known not in DATA_SETS:
        raise EdgecnnError(f"the images that {path} was trained on are not known here: name them with --dataset FOLDER")
    return named or known


def images_of(path: Path, manifest: Manifest, options: argparse.Namespace) -> Data:
    """Load the images that a model was trained on.

    Raises:
        EdgecnnError: they cannot be had, or they are others.
    """
    height, width, channels = manifest.input.shape
    name = dataset_name(path, manifest, options.dataset)
    data = load(name, options.data, None, None if name in DATA_SETS else (height, width), channels)
    if data.labels != manifest.labels or data.train_images.shape[1:] != manifest.input.shape:
        raise EdgecnnError(f"{name} has other labels or sizes than {path}: name the images that it was trained on")
    training = manifest.training
    if training and options.dataset is None and data.sha256 != training.dataset_sha256:
        raise EdgecnnError(f"{name} holds other images here than {path} was trained on: name them with --dataset")
    return data
