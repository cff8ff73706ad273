"""Write what a training gave: the model with its manifest, and the images that belong to it."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow

from edgecnn.dataset import Dataset, Source
from edgecnn.files import hash_arrays, write_file
from edgecnn.manifest import Manifest, Training
from edgecnn.modelfile import pack_model
from edgecnn.pixels import normalize
from train.datasets import Data
from train.fit import Fitted
from train.pictures import curves
from train.splits import split_off

_BATCH = 256


@dataclass(frozen=True)
class Result:
    """What a training gave."""

    recipe: str
    seed: int
    epochs: int
    seconds: float
    accuracy: dict[str, float]  # by split
    weights_sha256: str
    output: str

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def write(output: Path, data: Data, fitted: Fitted) -> Result:
    """Write all files into `output`; `model.keras` comes last, when all that belongs to it is there.

    Raises:
        OSError: `output` cannot be written.
    """
    weights = hash_arrays(fitted.model.get_weights())
    accuracy = {}
    for split, images in splits(data, fitted, weights).items():
        images.save(output / f"{split}.npz")
        assert images.probabilities is not None
        accuracy[split] = float((images.probabilities.argmax(axis=1) == images.labels).mean())
    test = accuracy["evaluation"]
    write_file(output / "history.json", json.dumps(fitted.history | {"evaluation_accuracy": test}, indent=1).encode())
    write_file(output / "curves.png", curves(fitted.history, test))
    write_file(output / "summary.txt", summary(fitted.model).encode())
    write_file(output / "model.keras", pack_keras(data, fitted, weights, accuracy))
    recipe = fitted.recipe.name
    return Result(recipe, fitted.seed, fitted.epochs, fitted.seconds, accuracy, weights, str(output))


def splits(data: Data, fitted: Fitted, weights: str) -> dict[str, Dataset]:
    """The images for calibration, validation and evaluation, with what the network makes of them."""
    calibration, validation = split_off(len(data.train_images))
    sources = {
        "calibration": (data.train_images, data.train_labels, calibration, True),
        "validation": (data.train_images, data.train_labels, validation, not fitted.recipe.holds_out_validation),
        "evaluation": (data.test_images, data.test_labels, np.arange(len(data.test_images)), False),
    }
    made = {}
    for split, (images, labels, indices, trained_on) in sources.items():
        inputs = normalize(images[indices], fitted.input)
        probabilities = fitted.model.predict(inputs, batch_size=_BATCH, verbose=0)
        source = Source(data.name, split, trained_on, weights)
        made[split] = Dataset(images[indices], labels[indices], indices, probabilities, source)
    return made


def pack_keras(data: Data, fitted: Fitted, weights: str, accuracy: dict[str, float]) -> bytes:
    """The bytes of a `.keras` file with its manifest inside."""
    recipe = fitted.recipe
    seen = not recipe.holds_out_validation
    manifest = Manifest(
        name=data.name,
        format="keras",
        labels=data.labels,
        input=fitted.input,
        weights_sha256=weights,
        training=Training(recipe.name, fitted.epochs, fitted.seed, data.name, data.sha256, seen, accuracy),
        baseline=data.baseline,
        tools={"tensorflow": tensorflow.__version__, "keras": keras.__version__},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        fitted.model.save(path)
        return pack_model(path.read_bytes(), manifest)


def summary(model: keras.Model) -> str:
    """The table of layers, shapes and parameters that Keras prints."""
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines)
