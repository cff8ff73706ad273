"""What an epoch of a training sees, batch by batch, prepared in a thread beside the training.

The seed and the numbers of the epoch and of the batch determine it.
"""

import math
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edgecnn.pixels import normalize
from train.augmentation import augment
from train.copies import copy_of
from train.job import Job, Softs, Teacher, distorted
from train.mixing import mix

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[Any]]  # inputs, and targets as `targets_of` describes them
WeightedBatch = tuple[npt.NDArray[np.float32], npt.NDArray[Any], npt.NDArray[np.float32]]


class Feed(keras.utils.PyDataset):  # type: ignore[misc]
    """The batches of an epoch, in its order."""

    def __init__(self, job: Job, epoch: int, softs: Softs | Teacher | None) -> None:
        """Distort the images and put them in order.

        Args:
            job: what determines the weights.
            epoch: its number.
            softs: the teachers' answers to distorted copies of the images, or a teacher who answers every batch as the
                network sees it; None: the labels count.
        """
        super().__init__()
        self.job, self.epoch = job, epoch
        indices = job.fitted_indices
        self.order = np.random.default_rng([job.seed, epoch]).permutation(len(indices))
        self.batches = math.ceil(len(indices) / job.recipe.batch)
        self.weights = job.class_weights if softs is None else None  # logarithms cannot be weighed
        self.teacher = softs if callable(softs) else None
        answers = softs if isinstance(softs, np.ndarray) else None
        self.images, self.rows = job.data.train_images, indices  # they may be mapped from the disk
        if job.recipe.distortion:
            copies = distorted(job, indices, job.seed, epoch) if answers is None else copy_of(job, epoch % len(answers))
            self.images, self.rows = copies, np.arange(len(indices))
        self.targets = targets_of(job, indices) if answers is None else answers[epoch % len(answers)].astype(np.float32)

    def __len__(self) -> int:
        """The number of batches."""
        return self.batches

    def __getitem__(self, number: int) -> Batch | WeightedBatch:
        """The batch with this number; with the weight of each image where classes have weights."""
        job, recipe = self.job, self.job.recipe
        places = self.order[number * recipe.batch : (number + 1) * recipe.batch]
        random = np.random.default_rng([job.seed, self.epoch, number])
        images, targets = self.images[self.rows[places]], self.targets[places]
        if job.augmentation:
            images = augment(images, job.augmentation, random)
        inputs = normalize(images, job.input)
        if recipe.mixing and random.random() < recipe.mixing:
            inputs, targets = mix(inputs, targets, random)
        if self.teacher:
            return inputs, self.teacher(inputs)
        return (inputs, targets) if self.weights is None else (inputs, targets, targets @ self.weights)


def targets_of(job: Job, indices: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """The labels of training images, (n,), or if the recipe is soft float32 probabilities, (n, classes)."""
    labels = job.data.train_labels[indices]
    if not job.recipe.soft:
        return labels
    classes, smoothing = len(job.data.labels), job.recipe.label_smoothing
    rows = np.full((len(labels), classes), smoothing / classes, np.float32)
    rows[np.arange(len(labels)), labels] += 1 - smoothing
    return rows
