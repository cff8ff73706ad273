"""Knowledge distillation: a small network learns the answers of larger ones, which are trained first.

A label tells which digit an image was meant to be; a teacher also tells what else it could be. The teachers are trained
on distorted copies of the images, then they all answer a number of such copies, and the small network learns the mean
of their probabilities. Source: G. Hinton, O. Vinyals, J. Dean (2015), "Distilling the Knowledge in a Neural
Network".

Teachers and answers are kept in the user's cache under a hash of all that determines them, for other seeds and for
trainings that resume.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from edgecnn.answers import Floats, as_probabilities
from edgecnn.files import read_file, sha256, write_file
from edgecnn.pixels import normalize
from train.cache import cache_folder
from train.copies import copies_key, copy_of
from train.fit import CHECKPOINT, fit
from train.job import Job, Softs, Teacher
from train.networks import network_of, teacher_cnn
from train.optimization import LEAST_PROBABILITY
from train.recipes import TEACHER

_BATCH = 500


def soft_labels(job: Job) -> Softs:
    """The answers of a job's teachers to `recipe.copies` distorted copies of its images; trains missing teachers.

    Returns:
        float16, (copies, images, classes): logarithms of mean probabilities, which float16 holds.

    Raises:
        EdgecnnError, OSError: as `fit`.
    """
    jobs = [_teacher(job, number) for number in range(job.recipe.teachers)]
    documents = [teacher.as_document() for teacher in jobs]
    path = _cached("answers", documents, job.as_document() | {"seed": None}) / "answers.npy"
    if not path.exists():
        names = [f"teacher {number + 1} of {len(jobs)}" for number in range(len(jobs))]
        teachers = [_trained(teacher, name) for teacher, name in zip(jobs, names, strict=True)]
        _save(path, _answers(job, teachers))
    return _read(path)


def _save(path: Path, answers: Softs) -> None:
    buffer = io.BytesIO()
    np.save(buffer, answers)
    write_file(path, buffer.getvalue())


def _read(path: Path) -> Softs:
    softs: Softs = np.load(io.BytesIO(read_file(path)))
    return softs


def parent_answers(job: Job, parent: keras.Model, weights: str, output: str) -> Softs | Teacher:
    """What one larger network answers to the images as an epoch shows them, whatever network learns it.

    Args:
        job: its data, and how its recipe changes images, count.
        parent: takes the job's images.
        weights: their hash.
        output: what it gives, as a manifest says.

    Returns:
        As `soft_labels`, with one copy of each image, undistorted, for a recipe that changes none; where every batch is
        changed anew, a teacher who answers it.
    """
    if job.augmentation or job.recipe.mixing:
        return answering(parent, output)
    job = replace(job, recipe=replace(job.recipe, copies=job.recipe.copies if job.recipe.distortion else 1))
    copies = min(job.recipe.copies, job.epochs)
    parts = {name: job.as_document()[name] for name in ("data", "tools")}
    path = _cached("answers", weights, parts, copies_key(job), copies) / "answers.npy"
    if not path.exists():
        _save(path, _answers(job, [parent]))
    return _read(path)


def answering(model: keras.Model, output: str) -> Teacher:
    """A teacher who answers every batch as the network sees it.

    Args:
        model: its weights are copied.
        output: what it gives, as a manifest says.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    run = tf.function(lambda images: copy(images, training=False), reduce_retracing=True)

    def answers(images: Floats) -> Floats:
        logs: Floats = np.log(as_probabilities(run(images).numpy(), output) + LEAST_PROBABILITY).astype(np.float32)
        return logs

    return answers


def _teacher(job: Job, number: int) -> Job:
    epochs = max(1, round(TEACHER.epochs * job.epochs / job.recipe.epochs))  # few where the user wants few
    return replace(job, network=network_of(teacher_cnn), recipe=TEACHER, epochs=epochs, seed=number, patience=None)


def _trained(job: Job, name: str) -> keras.Model:
    """The teacher of a job, from the cache or trained now; a training that was cut off resumes."""
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
    shape = min(job.recipe.copies, job.epochs), len(job.fitted_indices), len(job.data.labels)
    answers = np.empty(shape, np.float16)
    bar = tqdm(range(len(answers)), desc="the teachers answer", leave=False, disable=None)
    for copy in bar:
        inputs = normalize(copy_of(job, copy), job.input)
        mean = np.mean([teacher.predict(inputs, batch_size=_BATCH, verbose=0) for teacher in teachers], axis=0)
        answers[copy] = np.log(mean + LEAST_PROBABILITY)
    return answers


def _cached(kind: str, *documents: Any) -> Path:
    """The folder in the user's cache for what the documents determine."""
    key = sha256(json.dumps(documents, sort_keys=True).encode())[:16]
    folder = cache_folder("teachers") / f"{kind}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
