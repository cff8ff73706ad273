"""Fit a network to a data set by a recipe: the same seed gives the same weights on the same machine.

The seed and the epoch's number determine what an epoch sees (the order of the images, their distortions), and the state
after every epoch is on the disk: a training that was cut off and resumed ends with the weights of one left alone.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.pixels import normalize
from train.averages import Averages
from train.batch_statistics import BatchStatistics
from train.checkpoint import Arrays, History, State, assign, read_state, values, variables
from train.fast_network import fast_network
from train.feed import Feed
from train.job import Fitted, Job, Softs, Teacher
from train.optimization import LEAST_PROBABILITY, compile_model
from train.progress import Watch, watching
from train.tensorboard import LOGS, log_epoch, log_writer

CHECKPOINT = "checkpoint.zip"
_FINE = 10  # times smaller is the rate at which pretrained layers are fine-tuned
_BATCH = 500  # images at a time, where nothing is learned


def fit(
    job: Job, folder: Path, resume: bool = False, softs: Softs | Teacher | None = None, name: str = "training"
) -> Fitted:
    """Fit the job's network, with a progress bar on stderr.

    Args:
        job: what determines the weights.
        folder: for the checkpoint after every epoch and TensorBoard's logs.
        resume: go on from the checkpoint in `folder`.
        softs: the teachers' answers to distorted copies of the images (see `train.teachers`), or a teacher who answers
            every batch; None: the labels count.
        name: of the progress bar.

    Raises:
        EdgecnnError: there is nothing to resume, the loss became nan, or Ctrl-C after an epoch.
        OSError: the disk is full; the last checkpoint is whole.
    """
    keras.utils.clear_session()  # layers without a name of their own are numbered from here
    keras.utils.set_random_seed(job.seed)
    network = job.network.build(job.input.shape, len(job.data.labels))
    model, statistics = fast_network(network), BatchStatistics(network)  # of the same variables
    steps = -(-len(job.fitted_indices) // job.recipe.batch)
    state = _first_state(job, folder, resume)
    _compile(model, job, steps, softs, max(0, state.epochs - 1))
    if state.epochs:
        assign(variables(model), state.arrays)
    averages = Averages(model, job.recipe.averaging, state.averages)
    start = time.perf_counter() - state.seconds
    try:
        writer = log_writer(folder)
        with watching(name, job.epochs, state.epochs, steps) as watch:
            while state.epochs < job.epochs and not _is_over(state, job):
                if state.epochs == job.frozen_epochs > 0:
                    _compile(model, job, steps, softs, state.epochs)
                state = _next_state(averages, statistics, state, Feed(job, state.epochs, softs), watch)
                state = replace(state, seconds=time.perf_counter() - start)
                state.save(folder / CHECKPOINT)
                log_epoch(state, writer)
    except KeyboardInterrupt:
        if state.epochs == 0:
            raise
        raise EdgecnnError(f"interrupted after epoch {state.epochs} of {job.epochs}: go on with --resume") from None
    model.set_weights(state.best)
    _set_trainable(model, job, True)
    return Fitted(job.network.finish(network), job, state.epochs, state.history, state.seconds)


def _compile(model: keras.Model, job: Job, steps: int, softs: Softs | Teacher | None, epoch: int) -> None:
    """Compile the model for an epoch: pretrained layers are frozen first, then fine-tuned at a tenth of the rate."""
    frozen = epoch < job.frozen_epochs
    _set_trainable(model, job, not frozen)
    recipe, epochs = job.recipe, job.frozen_epochs if frozen else job.epochs - job.frozen_epochs
    if job.frozen_epochs and not frozen:
        recipe = replace(recipe, learning_rate=recipe.learning_rate / _FINE)
    compile_model(model, recipe, epochs, steps, soft=softs is not None)


def _set_trainable(model: keras.Model, job: Job, trainable: bool) -> None:
    for name in job.network.pretrained:
        model.get_layer(name).trainable = trainable


def _first_state(job: Job, folder: Path, resume: bool) -> State:
    if resume:
        return read_state(folder / CHECKPOINT, job.as_document())
    shutil.rmtree(folder / LOGS, ignore_errors=True)
    return State(job.as_document(), 0, {}, [], [], [], 0.0)


def _next_state(averages: Averages, statistics: BatchStatistics, state: State, feed: Feed, watch: Watch) -> State:
    """The state after one more epoch."""
    model, job = averages.network, feed.job
    logs = model.fit(feed, shuffle=False, verbose=0, callbacks=[averages, watch]).history
    metrics = {name: float(epochs[0]) for name, epochs in logs.items()}
    with averages.in_place():
        if state.epochs >= job.frozen_epochs:
            statistics.take(_unchanged(job))
        if job.holds_out:
            metrics |= _validation(model, job)
        history = {name: [*state.history.get(name, []), value] for name, value in metrics.items()}
        best = _best(model, job, state, history)
    watch.show(state.epochs + 1, metrics)
    arrays = values(variables(model))
    return State(state.job, state.epochs + 1, history, arrays, best, averages.arrays, state.seconds)


def _unchanged(job: Job) -> Iterator[npt.NDArray[np.float32]]:
    """Batches of the training images that batch normalization takes its statistics from."""
    count, batch = job.recipe.statistics, job.recipe.batch
    indices = np.random.default_rng(job.seed).permutation(job.fitted_indices)[:count]
    for start in range(0, len(indices), batch):
        yield normalize(job.data.train_images[indices[start : start + batch]], job.input)


def _validation(model: keras.Model, job: Job) -> dict[str, float]:
    """Loss and accuracy on the images of validation.npz."""
    indices = job.data.splits.validation
    images, labels = job.data.train_images[indices], job.data.train_labels[indices]
    parts = (normalize(images[start : start + _BATCH], job.input) for start in range(0, len(images), _BATCH))
    probabilities = np.concatenate([model.predict_on_batch(part) for part in parts])
    of_labels = probabilities[np.arange(len(labels)), labels]
    return {
        "val_loss": float(-np.log(of_labels + LEAST_PROBABILITY).mean()),
        "val_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
    }


def _best(model: keras.Model, job: Job, state: State, history: History) -> Arrays:
    """The weights of the best epoch so far, if the training may stop early; else of this one."""
    accuracies = history["val_accuracy"] if job.patience is not None else []
    return state.best if accuracies and accuracies[-1] <= max(accuracies[:-1], default=-1.0) else model.get_weights()


def _is_over(state: State, job: Job) -> bool:
    """Whether the accuracy on validation has not risen for as many epochs as the job's patience."""
    accuracies = state.history.get("val_accuracy", [])
    return (
        job.patience is not None
        and bool(accuracies)
        and len(accuracies) - 1 - int(np.argmax(accuracies)) >= job.patience
    )
