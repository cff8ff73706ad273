"""The trained network that smaller ones are made from, with the data set that it was trained on."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from edgecnn.modelfile import newest_model, read_model
from train.datasets import Data
from train.parent_images import images_of
from train.recipes import RECIPES, Recipe

if TYPE_CHECKING:
    import keras

    from train.job import Job


@dataclass(frozen=True)
class Parent:
    """A trained classifier."""

    path: Path
    manifest: Manifest
    data: Data
    recipe: Recipe  # to fit its smaller forms by
    epochs: int


def read_parent(options: argparse.Namespace) -> Parent:
    """Read the manifest of the model that options name, and load its data set, before TensorFlow is loaded.

    Raises:
        EdgecnnError: it was not trained here, or the data set is another one or not there.
    """
    path: Path = options.model or newest_model()
    manifest = read_model(path).manifest
    training = manifest.training
    if manifest.format != "keras" or training is None:
        raise EdgecnnError(f"{path} was not written by python -m train: name its model.keras")
    for split in ("validation", "evaluation"):
        if not path.with_name(f"{split}.npz").exists():
            raise EdgecnnError(f"{path} has no {split}.npz beside it: name the model in the folder of its training")
    data = images_of(path, manifest, options.dataset, options.data, options.labels)
    recipe = RECIPES.get(options.recipe or training.recipe, RECIPES["best"])
    epochs = options.epochs or recipe.epochs * data.repeats
    return Parent(path, manifest, data, replace(recipe, teachers=0, patience=None), epochs)


def job_of(parent: Parent, seed: int) -> "Job":
    """A job on the parent's data by its recipe; its network is still to be set.

    Raises:
        EdgecnnError: the parent reads pixels in another way than networks that are trained here.
    """
    from train.job import Job
    from train.networks import Architecture

    signed = parent.manifest.input.pixel_offset[0] < 0
    network = Architecture("parent", _unbuilt, parent.manifest.weights_sha256, signed)
    job = Job(parent.data, network, parent.recipe, parent.epochs, seed)
    if job.input != parent.manifest.input:
        raise EdgecnnError(
            f"{parent.path} reads pixels as no network that is trained here: train it with python -m train"
        )
    return job


def _unbuilt(shape: tuple[int, ...], classes: int) -> "keras.Model":
    raise NotImplementedError
