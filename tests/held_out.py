"""Whether the labels of the images held out for validation have a part in the weights, by recipe: JSON on stdout."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from train.datasets import Data
from train.fit import fit
from train.job import Job
from train.networks import Architecture
from train.recipes import RECIPES, TEACHER
from train.splits import split_training

random = np.random.default_rng(0)
images, labels = random.integers(0, 256, (240, 6, 6, 1), np.uint8), random.integers(0, 3, 240)
data = Data("noise", ("a", "b", "c"), images, labels, images[:1], labels[:1], stratified=False)
held_out = split_training(images)[1]
mislabelled = replace(data, train_labels=labels.copy())
mislabelled.train_labels[held_out] = (labels[held_out] + 1) % 3


def tiny(shape: tuple[int, ...], classes: int) -> keras.Model:
    """A network without a hidden layer."""
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(classes, activation="softmax")])


def weights(job: Job) -> list[bytes]:
    """Of the network, after one epoch."""
    with tempfile.TemporaryDirectory() as folder:
        return [array.tobytes() for array in fit(job, Path(folder)).model.get_weights()]


jobs = {
    "tutorial": Job(data, Architecture("tiny", tiny, ""), RECIPES["tutorial"], 1, 0),
    "tutorial, early stopping": Job(data, Architecture("tiny", tiny, ""), RECIPES["tutorial"], 1, 0, patience=1),
    "best": Job(data, Architecture("tiny", tiny, ""), RECIPES["best"], 1, 0),
    "small": Job(data, Architecture("tiny", tiny, ""), RECIPES["small"], 1, 0),
    "photos": Job(data, Architecture("tiny", tiny, ""), RECIPES["photos"], 1, 0),
    "teacher": Job(data, Architecture("tiny", tiny, ""), TEACHER, 1, 0),
}
print(json.dumps({name: weights(job) != weights(replace(job, data=mislabelled)) for name, job in jobs.items()}))
