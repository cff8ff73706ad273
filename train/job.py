"""What a training is to do, what an epoch of it sees, and the network that comes out."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgecnn.manifest import Input
from train.augmentation import Augmentation
from train.checkpoint import History
from train.datasets import Data
from train.distortions import distort
from train.networks import Architecture
from train.recipes import Recipe

PIXEL_SCALE = 1 / 255
_FROZEN = 5  # one epoch in five leaves pretrained layers as they are
_UNEQUAL = 2.0  # times as many images as the rarest class has: from there on classes have weights

Softs = npt.NDArray[np.float16]  # (copies, images, classes): logarithms of the teachers' probabilities
Teacher = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]  # inputs to logarithms of probabilities


@dataclass(frozen=True)
class Job:
    """What determines the weights."""

    data: Data
    network: Architecture
    recipe: Recipe
    epochs: int
    seed: int
    patience: int | None = None  # stop after so many epochs without a better accuracy on validation
    reject: float | None = None  # share of right answers on validation that the threshold for `unknown` is set for

    @property
    def holds_out(self) -> bool:
        """Whether the images of validation.npz are kept out of the fit."""
        asked = self.patience is not None or self.reject is not None
        return self.recipe.holds_out_validation or asked or self.data.own_validation is not None

    @property
    def input(self) -> Input:
        """The network's input: pixels scaled to 0 to 1, or to -1 to 1, or as the network says."""
        if self.network.entry:
            return self.network.entry
        shape = self.data.train_images.shape[1:]
        scale, offset = (2 * PIXEL_SCALE, -1.0) if self.network.signed else (PIXEL_SCALE, 0.0)
        return Input(shape, pixel_scale=(scale,), pixel_offset=(offset,), frame=self.data.frame)

    @property
    def augmentation(self) -> Augmentation | None:
        """How every batch is changed: as the recipe says, but characters are never mirrored."""
        augmentation = self.recipe.augmentation
        return replace(augmentation, mirror=False) if augmentation and self.data.frame else augmentation

    @property
    def fitted_indices(self) -> npt.NDArray[np.intp]:
        """Indices of the training images that the network is fitted to."""
        return self.data.splits.fitted if self.holds_out else np.arange(len(self.data.train_images))

    @property
    def frozen_epochs(self) -> int:
        """Epochs, at the beginning, in which pretrained layers stay as they are."""
        return -(-self.epochs // _FROZEN) if self.network.pretrained else 0

    @property
    def class_weights(self) -> npt.NDArray[np.float32] | None:
        """The weight of each class in the loss, in inverse proportion to its images; None if all weigh the same."""
        counts = np.bincount(self.data.train_labels[self.fitted_indices], minlength=len(self.data.labels))
        if not self.recipe.balanced or counts.max() < _UNEQUAL * counts.min():
            return None
        weights: npt.NDArray[np.float32] = (counts.sum() / (len(counts) * np.maximum(counts, 1))).astype(np.float32)
        return weights

    def as_document(self) -> dict[str, Any]:
        """For a comparison with the job of a checkpoint."""
        recipe = asdict(self.recipe)
        return {
            "recipe": recipe.pop("name"),
            "epochs": self.epochs,
            "seed": self.seed,
            "patience": self.patience,
            "reject": self.reject,
            "learning rate": recipe.pop("learning_rate"),
            "network": f"{self.network.name} {self.network.sha256[:16]}",
            "data": f"{self.data.name} {self.data.sha256[:16]}",
            "tools": f"tensorflow {tf.__version__}, keras {keras.__version__}",
            "details": recipe,
        }


@dataclass(frozen=True)
class Fitted:
    """A network that was fitted, and how."""

    model: keras.Model
    job: Job
    epochs: int
    history: History
    seconds: float


def distorted(job: Job, indices: npt.NDArray[np.intp], *seed: int) -> npt.NDArray[np.uint8]:
    """The training images at `indices`, distorted if the recipe says so."""
    images = job.data.train_images[indices]
    return images if job.recipe.distortion is None else distort(images, job.recipe.distortion, seed)
