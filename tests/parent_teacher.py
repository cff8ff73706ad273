"""What a smaller network learns from its parent: how far that is from the parent's answers to what an epoch shows."""

import json
from dataclasses import replace

import keras
import numpy as np

from train.datasets import load
from train.feed import Feed
from train.job import Job
from train.networks import network_of
from train.recipes import RECIPES
from train.teachers import parent_answers


def tiny(shape, classes):
    """Untrained, of large weights: what it answers differs from image to image."""
    wide = keras.initializers.RandomNormal(stddev=1.0, seed=0)
    stack = [keras.layers.Flatten(), keras.layers.Dense(classes, "softmax", kernel_initializer=wide)]
    return keras.Sequential([keras.Input(shape), *stack])


def distance(recipe: str) -> float:
    """The largest difference of a probability, over three batches of the second epoch."""
    job = Job(digits, network_of(tiny), replace(RECIPES[recipe], copies=2), 2, seed=0)
    feed = Feed(job, 1, parent_answers(job, parent, recipe, "probabilities"))
    unlike = []
    for number in range(3):
        inputs, learned = feed[number][:2]
        unlike.append(np.abs(np.exp(learned) - parent.predict_on_batch(inputs)).max())
    return float(max(unlike))


digits = replace(load("digits"), frame=None)  # else photographs' changes would not mirror
keras.utils.set_random_seed(0)
parent = tiny(digits.train_images.shape[1:], len(digits.labels))
print(json.dumps({recipe: distance(recipe) for recipe in ("tutorial", "small", "photos")}))
