"""How far the statistics of batch normalization are from those of unchanged images, as JSON on stdout."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from keras import layers

from edgecnn.pixels import normalize
from train.batch_statistics import BatchStatistics
from train.datasets import load
from train.fit import fit
from train.job import Job
from train.networks import network_of
from train.recipes import RECIPES


def network(shape, classes, dropout=0.5, **norm):
    """Batch normalization of images, in a model within the model, and of vectors; one that rests."""
    inner = [keras.Input(shape), layers.Conv2D(4, 3), layers.BatchNormalization(name="images", **norm), layers.ReLU()]
    rests = layers.BatchNormalization(name="rests", trainable=False)
    vectors = [layers.Flatten(), layers.Dense(8), layers.BatchNormalization(name="vectors", center=False, **norm)]
    end = [layers.Dropout(dropout), layers.Dense(classes), layers.BatchNormalization(name="end", **norm)]
    stack = [keras.Sequential(inner, name="inner"), rests, *vectors, *end, layers.Softmax()]
    return keras.Sequential([keras.Input(shape), *stack])


def statistics(model):
    """Means and variances by the name of the layer."""
    norms = [layer for layer in model._flatten_layers() if isinstance(layer, layers.BatchNormalization)]
    return {layer.name: [np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)] for layer in norms}


def by_keras(model, inputs):
    """Of one batch, by a model without dropout, whose running mean is that of the last batch."""
    plain = network(model.input_shape[1:], model.output_shape[1], dropout=0, momentum=0)
    plain.set_weights([weights for weights in model.get_weights() if weights.dtype == np.float32])
    plain(inputs, training=True)
    return statistics(plain)


def difference(one, other):
    """The largest, by the name of the layer."""
    return {name: float(max(np.abs(a - b).max() for a, b in zip(one[name], other[name], strict=True))) for name in one}


def of_batches():
    """Two batches, against the mean of what Keras takes from each."""
    model = network((12, 12, 3), 4)
    keras.utils.set_random_seed(0)
    batches = np.random.default_rng(0).random((2, 512, 12, 12, 3), np.float32)
    expected = [by_keras(model, batch) for batch in batches]
    mean = {name: np.mean([part[name] for part in expected], axis=0) for name in expected[0]}
    BatchStatistics(model).take(batches)
    return difference(statistics(model), mean)


def after_training(recipe):
    """The first layer's, of all fitted images as they are."""
    digits = load("digits")
    job = Job(digits, network_of(network), replace(recipe, batch=10_000, copies=0, teachers=0), 2, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        model = fit(job, Path(folder)).model
    inputs = normalize(digits.train_images[job.fitted_indices], job.input)
    return difference(statistics(model), by_keras(model, inputs))["images"]


rows = {name: after_training(RECIPES[name]) for name in ("photos", "best", "small")}
changed = after_training(replace(RECIPES["photos"], statistics=0))
print(json.dumps({"batches": of_batches(), "recipes": rows, "changed": changed}))
