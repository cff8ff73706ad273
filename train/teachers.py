"""Larger networks that are trained first, and whose answers a small one learns: knowledge distillation.

A label says which digit an image was meant to be; a teacher also says what else it could be read as. The teachers are
trained on distorted copies of the images, then all of them answer a number of such copies, and the mean of their
probabilities is what is learnt. Source: G. Hinton, O. Vinyals, J. Dean (2015), "Distilling the Knowledge in a Neural
Network".

Teachers and answers are kept in the user's cache, by all that determines them: another seed or a resumed training finds
them there.
"""

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pooch
from tqdm import tqdm

from edgecnn.files import read_file, sha256, write_file
from edgecnn.pixels import normalize
from train.fit import CHECKPOINT, Job, Softs, distorted, fit, fitted_indices
from train.networks import network_of, teacher_cnn
from train.recipes import TEACHER

_BATCH = 500
_LEAST = 1e-7  # probability below which a logarithm is not taken: float16 holds it


def soft_labels(job: Job) -> Softs:
    """What the teachers of a job say of `recipe.copies` distorted copies of its images; trained where they are not yet.

    Returns:
        float16, (copies, images, classes): logarithms of mean probabilities.

    Raises:
        EdgecnnError, OSError: as `fit`.
    """
    jobs = [_teacher(job, number) for number in range(job.recipe.teachers)]
    path = _cached("answers", [each.as_document() for each in jobs], job.as_document() | {"seed": None}) / "answers.npy"
    if not path.exists():
        teachers = [_trained(each, f"teacher {number + 1} of {len(jobs)}") for number, each in enumerate(jobs)]
        buffer = io.BytesIO()
        np.save(buffer, _answers(job, teachers))
        write_file(path, buffer.getvalue())
    softs: Softs = np.load(io.BytesIO(read_file(path)))
    return softs


def _teacher(job: Job, number: int) -> Job:
    epochs = max(1, round(TEACHER.epochs * job.epochs / job.recipe.epochs))  # few where the user wants few
    return replace(job, network=network_of(teacher_cnn), recipe=TEACHER, epochs=epochs, seed=number, patience=None)


def _trained(job: Job, name: str) -> keras.Model:
    """The teacher of a job, out of the cache or trained now; one that was cut off goes on."""
    folder = _cached("teacher", job.as_document())
    path = folder / "teacher.keras"
    if not path.exists():
        fitted = fit(job, folder, (folder / CHECKPOINT).exists(), name=name)
        beside = path.with_stem("unfinished")
        fitted.model.save(beside)
        beside.replace(path)
        (folder / CHECKPOINT).unlink()
    return keras.models.load_model(path, compile=False)


def _answers(job: Job, teachers: Sequence[keras.Model]) -> Softs:
    indices = fitted_indices(job)
    answers = np.empty((min(job.recipe.copies, job.epochs), len(indices), len(job.data.labels)), np.float16)
    shown = tqdm(range(len(answers)), desc="the teachers answer", leave=False, disable=not sys.stderr.isatty())
    for copy in shown:
        inputs = normalize(distorted(job, indices, copy), job.input)
        mean = np.mean([each.predict(inputs, batch_size=_BATCH, verbose=0) for each in teachers], axis=0)
        answers[copy] = np.log(mean + _LEAST)
    return answers


def _cached(kind: str, *words: Any) -> Path:
    """The folder in the user's cache for what `words` determine."""
    key = sha256(json.dumps(words, sort_keys=True).encode())[:16]
    folder = Path(pooch.os_cache("edgecnn")) / "teachers" / f"{kind}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
