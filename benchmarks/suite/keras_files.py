"""A network of the suite as `python -m train` leaves one: model.keras with a manifest, and the images of its gates.

Weights and images are random, from fixed seeds; Keras's answers are the labels. `write` imports Keras: call it in a
process of its own.
"""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.suite.networks import NETWORKS
from edgecnn.dataset import Dataset, Source
from edgecnn.files import hash_arrays, write_file
from edgecnn.manifest import Input, Manifest
from edgecnn.modelfile import pack_model

IMAGES = {"calibration": 32, "validation": 32, "evaluation": 200}  # by split


def write(name: str, folder: Path) -> None:
    """Write FOLDER/model.keras, and FOLDER/SPLIT.npz for each split of `IMAGES`."""
    import keras

    keras.utils.set_random_seed(0)
    model = NETWORKS[name].build()
    _vary(model)
    weights = hash_arrays(model.get_weights())
    for seed, (split, count) in enumerate(IMAGES.items()):
        source = Source(name, split, trained_on=False, weights_sha256=weights)
        _dataset(model, source, seed, count).save(folder / f"{split}.npz")
    path = folder / "model.keras"
    model.save(path)
    write_file(path, pack_model(path.read_bytes(), _manifest(name, model, weights)))


def _vary(model: Any) -> None:
    """Give biases and batch normalization the spread that training leaves: those of a new layer are all 0 or 1."""
    random = np.random.default_rng(1)
    for weights in model.weights:
        name = weights.path.split("/")[-1]
        if name in ("moving_mean", "beta", "bias"):
            weights.assign(random.normal(0, 0.1, weights.shape))
        elif name in ("moving_variance", "gamma"):
            weights.assign(random.uniform(0.6, 1.4, weights.shape))


def _dataset(model: Any, source: Source, seed: int, count: int) -> Dataset:
    """Random images with Keras's answers."""
    images = np.random.default_rng(seed).integers(0, 256, (count, *model.input_shape[1:]), np.uint8)
    probabilities = model.predict(images.astype(np.float32) / 255, verbose=0)
    return Dataset(images, probabilities.argmax(axis=1), np.arange(count), probabilities, source)


def _manifest(name: str, model: Any, weights: str) -> Manifest:
    labels = tuple(f"class{number}" for number in range(model.output_shape[-1]))
    pixels = Input(shape=tuple(model.input_shape[1:]), pixel_scale=(1 / 255,), pixel_offset=(0.0,))
    return Manifest(name=name, format="keras", labels=labels, input=pixels, weights_sha256=weights)
