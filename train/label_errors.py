"""Probable label errors of a data set, by confident learning: what `python -m train --label-errors` looks for.

Every image is answered by a network that was not fitted to it: the images are cut into folds, near-duplicates in one,
and for each fold a network is fitted to the others. A label is probably wrong where another class is more probable than
is usual of that class, and is counted so often that chance does not explain it. Source: C. Northcutt, L. Jiang,
I. Chuang (2021), "Confident Learning: Estimating Uncertainty in Dataset Labels".
"""

import csv
import io
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.pixels import normalize
from train.datasets import Data
from train.fit import fit
from train.job import Job
from train.pictures import GALLERY, gallery
from train.review import LabelError, Review

_BATCH = 500  # images that are answered at a time
_CSV, _PICTURE = "label_errors.csv", "label_errors.png"

Indices = npt.NDArray[np.intp]
Probabilities = npt.NDArray[np.float32]


def review_labels(job: Job, output: Path, folds: int) -> Review:
    """Review the labels of all images of a job, and write those that are probably wrong as a table and a picture.

    Raises:
        EdgecnnError: a class has fewer images than there are folds; as `train.fit.fit`.
        OSError: `output` cannot be written.
    """
    from cleanlab.filter import find_label_issues

    whole = _joined(job.data)
    _check_folds(whole, folds)
    probabilities = _answers(job, whole, folds)
    labels = whole.train_labels
    ranked = find_label_issues(labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1)
    places: Indices = np.asarray(ranked, np.intp)
    errors = _errors(whole, probabilities, places)
    write_file(output / _CSV, _as_csv(errors))
    write_file(output / _PICTURE, _picture(whole, places, errors))
    accuracy = float((probabilities.argmax(axis=1) == labels).mean())
    return Review(len(labels), folds, accuracy, errors, (str(output / _CSV), str(output / _PICTURE)))


def _joined(data: Data) -> Data:
    """A data set with the images of all its splits for training: their labels may all be wrong."""
    images = np.concatenate([data.train_images, data.test_images])
    labels = np.concatenate([data.train_labels, data.test_labels])
    training = _names("train", data.train_names, len(data.train_labels))
    names = np.concatenate([training, _names("test", data.test_names, len(data.test_labels))])
    groups = np.arange(len(labels))
    if data.train_groups is not None and data.test_groups is not None:
        groups = np.concatenate([data.train_groups, data.test_groups])
    return replace(
        data, train_images=images, train_labels=labels, train_names=names, train_groups=groups, own_validation=None
    )


def _names(split: str, names: npt.NDArray[Any] | None, count: int) -> npt.NDArray[Any]:
    return np.array([f"{split} {place}" for place in range(count)]) if names is None else names


def _check_folds(whole: Data, folds: int) -> None:
    """Refuse folds some of which would lack a class.

    Raises:
        EdgecnnError: there are such.
    """
    counts = np.bincount(whole.train_labels, minlength=len(whole.labels))
    label, count = whole.labels[int(counts.argmin())], int(counts.min())
    if count < folds:
        raise EdgecnnError(
            f"{label} has {count} images, too few for --label-errors {folds}: add some, or take fewer folds"
        )


def _answers(job: Job, whole: Data, folds: int) -> Probabilities:
    """The probabilities of every image, (n, classes), by a network that was not fitted to it."""
    tf.get_logger().setLevel("ERROR")  # it warns that each network is traced
    probabilities = np.empty((len(whole.train_labels), len(whole.labels)), np.float32)
    for number, (others, fold) in enumerate(_folds(whole, folds, job.seed)):
        data = replace(
            whole,
            train_images=whole.train_images[others],
            train_labels=whole.train_labels[others],
            train_groups=np.asarray(whole.train_groups)[others],
            test_images=whole.train_images[fold],
            test_labels=whole.train_labels[fold],
        )
        with tempfile.TemporaryDirectory() as folder:
            model = fit(replace(job, data=data), Path(folder), name=f"fold {number + 1} of {folds}").model
        for start in range(0, len(fold), _BATCH):
            inputs = normalize(data.test_images[start : start + _BATCH], job.input)
            probabilities[fold[start : start + _BATCH]] = model.predict(inputs, batch_size=_BATCH, verbose=0)
    return probabilities


def _folds(whole: Data, folds: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """The other images, and those of a fold; near-duplicates are in one fold."""
    from sklearn.model_selection import StratifiedGroupKFold

    cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    yield from cut.split(np.empty(len(whole.train_labels)), whole.train_labels, whole.train_groups)


def _errors(whole: Data, probabilities: Probabilities, places: Indices) -> tuple[LabelError, ...]:
    errors = []
    for place in places.tolist():
        row, label = probabilities[place], int(whole.train_labels[place])
        probable = int(row.argmax())
        name = str(np.asarray(whole.train_names)[place])
        errors.append(
            LabelError(name, whole.labels[label], whole.labels[probable], float(row[probable]), float(row[label]))
        )
    return tuple(errors)


def _as_csv(errors: Sequence[LabelError]) -> bytes:
    text = io.StringIO()
    rows = csv.DictWriter(text, list(LabelError.__dataclass_fields__))
    rows.writeheader()
    rows.writerows(asdict(error) for error in errors)
    return text.getvalue().encode()


def _picture(whole: Data, places: Indices, errors: Sequence[LabelError]) -> bytes:
    captions = [f"{error.label} → {error.probable}?  {error.probability:.2f}" for error in errors]
    names = [error.image for error in errors]
    shown = "" if len(errors) <= GALLERY else f", of which these are the first {GALLERY}"
    title = f"{whole.name}: {len(errors)} labels are probably wrong{shown}; label → what it may be"
    return gallery(title, whole.train_images, places, captions, names)
