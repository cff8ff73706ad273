"""Fit a network to a data set by a recipe: the same seed gives the same weights on the same machine.

The seed and the epoch's number determine what an epoch sees (the order of the images, their distortions), and the state
after every epoch is on the disk: a training that was cut off and resumed ends with the weights of one left alone.
"""

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is loaded: it greets

import keras
import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.pixels import normalize
from train.checkpoint import Arrays, History, State, assign, read_state, values, variables
from train.job import Batch, Fitted, Job, Softs, epoch_batch
from train.optimization import LEAST_PROBABILITY, compile_model
from train.progress import Watch, watching
from train.tensorboard import LOGS, log_epoch, log_writer

CHECKPOINT = "checkpoint.zip"
_BATCH = 500  # images at a time, where nothing is learned


def fit(job: Job, folder: Path, resume: bool = False, softs: Softs | None = None, name: str = "training") -> Fitted:
    """Fit the job's network, with a progress bar on stderr.

    Args:
        job: what determines the weights.
        folder: for the checkpoint after every epoch and TensorBoard's logs.
        resume: go on from the checkpoint in `folder`.
        softs: the teachers' answers to distorted copies of the images (see `train.teachers`); None: the labels count.
        name: of the progress bar.

    Raises:
        EdgecnnError: there is nothing to resume, the loss became nan, or Ctrl-C after an epoch.
        OSError: the disk is full; the last checkpoint is whole.
    """
    keras.utils.set_random_seed(job.seed)
    model = job.network.build(job.input.shape, len(job.data.labels))
    indices = job.fitted_indices
    steps = -(-len(indices) // job.recipe.batch)
    compile_model(model, job.recipe, job.epochs, steps, soft=softs is not None)
    state = _first_state(model, job, folder, resume)
    start = time.perf_counter() - state.seconds
    try:
        writer = log_writer(folder)
        with watching(name, job.epochs, state.epochs, steps) as watch:
            while state.epochs < job.epochs and not _is_over(state, job):
                state = _next_state(model, job, state, epoch_batch(job, indices, state.epochs, softs), watch)
                state = replace(state, seconds=time.perf_counter() - start)
                state.save(folder / CHECKPOINT)
                log_epoch(state, writer)
    except KeyboardInterrupt:
        if state.epochs == 0:
            raise
        raise EdgecnnError(f"interrupted after epoch {state.epochs} of {job.epochs}: go on with --resume") from None
    if state.best:
        model.set_weights(state.best)
    return Fitted(job.network.finish(model), job, state.epochs, state.history, state.seconds)


def _first_state(model: keras.Model, job: Job, folder: Path, resume: bool) -> State:
    if resume:
        state = read_state(folder / CHECKPOINT, job.as_document())
        assign(variables(model), state.arrays)
        return state
    shutil.rmtree(folder / LOGS, ignore_errors=True)
    return State(job.as_document(), 0, {}, [], [], 0.0)


def _next_state(model: keras.Model, job: Job, state: State, batch: Batch, watch: Watch) -> State:
    """The state after one more epoch."""
    inputs, targets = batch
    logs = model.fit(inputs, targets, batch_size=job.recipe.batch, shuffle=False, verbose=0, callbacks=[watch]).history
    metrics = {name: float(epochs[0]) for name, epochs in logs.items()}
    if job.holds_out:
        metrics |= _validation(model, job)
    history = {name: [*state.history.get(name, []), value] for name, value in metrics.items()}
    watch.show(state.epochs + 1, metrics)
    best = _best(model, job, state, history)
    return State(state.job, state.epochs + 1, history, values(variables(model)), best, state.seconds)


def _validation(model: keras.Model, job: Job) -> dict[str, float]:
    """Loss and accuracy on the images of validation.npz."""
    indices = job.data.splits.validation
    inputs, labels = normalize(job.data.train_images[indices], job.input), job.data.train_labels[indices]
    probabilities = model.predict(inputs, batch_size=_BATCH, verbose=0)
    of_labels = probabilities[np.arange(len(labels)), labels]
    return {
        "val_loss": float(-np.log(of_labels + LEAST_PROBABILITY).mean()),
        "val_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
    }


def _best(model: keras.Model, job: Job, state: State, history: History) -> Arrays:
    """The weights of the best epoch so far, if the training may stop early."""
    if job.patience is None:
        return []
    *earlier, last = history["val_accuracy"]
    return model.get_weights() if not earlier or last > max(earlier) else state.best


def _is_over(state: State, job: Job) -> bool:
    """Whether the accuracy on validation has not risen for as many epochs as the job's patience."""
    accuracies = state.history.get("val_accuracy", [])
    return (
        job.patience is not None
        and bool(accuracies)
        and len(accuracies) - 1 - int(np.argmax(accuracies)) >= job.patience
    )
