"""Write the files of a training: the model with its manifest, its images, and pictures of the training."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow

from edgecnn.command import commit
from edgecnn.dataset import Dataset, Source
from edgecnn.files import hash_arrays, write_file
from edgecnn.manifest import Manifest, Rejection, Training
from edgecnn.modelfile import pack_model
from edgecnn.pixels import normalize
from edgecnn.reliability import Reliability
from edgecnn.scores import Scores, scores_of
from train.decorate import decorating
from train.job import Fitted, Job
from train.picture_notes import list_left_out
from train.pictures import confusion, curves, mistakes
from train.reliability_diagram import reliability_diagram
from workstation.rejection import fit_rejection, rejected

SPLITS = ("calibration", "validation", "evaluation")
_BATCH = 256


@dataclass(frozen=True)
class Result:
    """What a training came to."""

    recipe: str
    seed: int
    epochs: int
    seconds: float
    accuracy: dict[str, float]  # by split
    weights_sha256: str
    output: str
    scores: Scores  # on the test split
    reliability: Reliability  # on the test split
    rejection: Rejection | None  # None without --reject, and where its share is not reached
    missed: str  # why that is so, in words

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        document = asdict(self) | {"reliability": self.reliability.as_document()} | self.scores.as_document()
        del document["scores"]  # its parts have names of their own
        return document


def write(output: Path, fitted: Fitted) -> Result:
    """Write all files into `output`: the images for `model.keras`, then the model, then pictures and logs.

    Raises:
        OSError: `output` cannot be written.
    """
    weights = hash_arrays(fitted.model.get_weights())
    datasets = splits(fitted, weights)
    for split, dataset in datasets.items():
        dataset.save(output / f"{split}.npz")
    accuracy = {split: _accuracy(dataset) for split, dataset in datasets.items()}
    rejection, missed = _fit_rejection(datasets["validation"], fitted.job.reject)
    list_left_out(output / "left_out.csv", fitted.job.data.unread)
    write_file(output / "history.json", json.dumps(fitted.history, indent=1).encode())
    manifest = manifest_of(fitted.job, fitted.epochs, weights, accuracy, rejection)
    write_file(output / "model.keras", pack_keras(fitted.model, manifest))
    for name, draw in _decorations(fitted, datasets, rejection).items():
        with decorating(name):
            write_file(output / name, draw())
    job, test = fitted.job, _reliability(datasets["evaluation"], rejection)
    scores = _scores(datasets["evaluation"], job.data.labels)
    figures = (fitted.epochs, fitted.seconds, accuracy, weights, str(output), scores, test, rejection, missed)
    return Result(job.recipe.name, job.seed, *figures)


def write_model(output: Path, fitted: Fitted) -> None:
    """Write only the model with its manifest, and the images that a conversion needs; the test split is left alone."""
    weights = hash_arrays(fitted.model.get_weights())
    for split, dataset in splits(fitted, weights, ("calibration", "validation")).items():
        dataset.save(output / f"{split}.npz")
    manifest = manifest_of(fitted.job, fitted.epochs, weights, {})
    write_file(output / "model.keras", pack_keras(fitted.model, manifest))


def _fit_rejection(validation: Dataset, share: float | None) -> tuple[Rejection | None, str]:
    return fit_rejection(_probabilities(validation), np.asarray(validation.labels), share or 0.0)


def _scores(data: Dataset, names: Sequence[str]) -> Scores:
    return scores_of(np.asarray(data.labels), _probabilities(data).argmax(axis=1), names)


def _reliability(data: Dataset, rejection: Rejection | None) -> Reliability:
    return rejected(rejection, _probabilities(data), np.asarray(data.labels))


def _decorations(
    fitted: Fitted, datasets: dict[str, Dataset], rejection: Rejection | None
) -> dict[str, Callable[[], bytes]]:
    """Files for people, by name; confusion and mistakes are of images that the network was not fitted to."""
    names, history = fitted.job.data.labels, fitted.history
    split = "validation" if fitted.job.holds_out else "evaluation"
    dataset, probabilities = datasets[split], _probabilities(datasets[split])
    labels = np.asarray(dataset.labels)
    return {
        "curves.png": lambda: curves(history, _accuracy(datasets["evaluation"])),
        "confusion.png": lambda: confusion(labels, probabilities.argmax(axis=1), names, split),
        "reliability.png": lambda: reliability_diagram(labels, probabilities, rejection, split),
        "mistakes.png": lambda: mistakes(dataset, probabilities, names, split),
        "summary.txt": lambda: summary(fitted.model).encode(),
    }


def splits(fitted: Fitted, weights: str, wanted: Sequence[str] = SPLITS) -> dict[str, Dataset]:
    """The images for calibration, validation and evaluation, with the network's probabilities."""
    data = fitted.job.data
    calibration, validation, _ = data.splits
    training = data.train_images, data.train_labels, data.train_names
    test = data.test_images, data.test_labels, data.test_names
    sources = {
        "calibration": (training, calibration, True),
        "validation": (training, validation, not fitted.job.holds_out),
        "evaluation": (test, np.arange(len(data.test_images)), False),
    }
    datasets = {}
    for split in wanted:
        (images, labels, names), indices, trained_on = sources[split]
        inputs = normalize(images[indices], fitted.job.input)
        probabilities = fitted.model.predict(inputs, batch_size=_BATCH, verbose=0)
        source = Source(data.name, split, trained_on, weights)
        origins = indices if names is None else names[indices]
        datasets[split] = Dataset(images[indices], labels[indices], origins, probabilities, source)
    return datasets


def _accuracy(data: Dataset) -> float:
    return float((_probabilities(data).argmax(axis=1) == data.labels).mean())


def _probabilities(data: Dataset) -> npt.NDArray[np.float32]:
    return np.asarray(data.probabilities)


def manifest_of(
    job: Job, epochs: int, weights: str, accuracy: dict[str, float], rejection: Rejection | None = None
) -> Manifest:
    """The manifest of a job's network.

    Raises:
        EdgecnnError: a manifest cannot hold the data set's name, its labels or the size of its images.
    """
    data = job.data
    return Manifest(
        name=data.name,
        format="keras",
        labels=data.labels,
        input=job.input,
        weights_sha256=weights,
        training=Training(
            recipe=job.recipe.name,
            epochs=epochs,
            seed=job.seed,
            dataset=data.name,
            dataset_sha256=data.sha256,
            trained_on_validation=not job.holds_out,
            accuracy=accuracy,
            teacher_seeds=tuple(range(job.recipe.teachers)),
            commit=commit(Path(__file__).parent),
            parent_sha256=job.network.parent_sha256,
            budget=job.network.budget,
        ),
        baseline=data.baseline,
        rejection=rejection,
        tools={"tensorflow": tensorflow.__version__, "keras": keras.__version__},
    )


def pack_keras(model: keras.Model, manifest: Manifest) -> bytes:
    """The bytes of a `.keras` file with its manifest inside."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return pack_model(path.read_bytes(), manifest)


def summary(model: keras.Model) -> str:
    """Keras's table of layers, shapes and parameters."""
    lines: list[str] = []
    model.summary(print_fn=lines.append, line_length=80)
    return "\n".join(lines)
