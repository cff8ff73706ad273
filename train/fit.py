"""Fit a network to a data set by a recipe: the same seed gives the same weights on the same machine.

What an epoch sees (the order of the images, their distortions) is drawn from the seed and the epoch's number, and the
state after each epoch is on disk: a training that was cut off and resumed ends with the weights of one left alone.
"""

import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow: its greetings are no news

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Input
from edgecnn.pixels import normalize
from train.checkpoint import Arrays, History, State, assign, read_state, values, variables
from train.datasets import Data
from train.decorate import decorating
from train.distortions import distort
from train.networks import Network
from train.progress import Watch, watching
from train.recipes import Recipe
from train.splits import split_training

CHECKPOINT, LOGS = "checkpoint.zip", "logs"
PIXEL_SCALE = 1 / 255
_BATCH = 500  # images at a time, where nothing is learnt
_LEAST_SHARE = 1e-7  # probability below which a logarithm is not taken

Softs = npt.NDArray[np.float16]  # (copies, images, classes): logarithms of a teacher's probabilities
Batch = tuple[npt.NDArray[np.float32], npt.NDArray[Any]]


@dataclass(frozen=True)
class Job:
    """What determines the weights."""

    data: Data
    network: Network
    recipe: Recipe
    epochs: int
    seed: int
    patience: int | None = None  # epochs without a better accuracy on validation, after which to stop

    @property
    def holds_out(self) -> bool:
        """Whether the images of validation.npz are kept out of the fit."""
        return self.recipe.holds_out_validation or self.patience is not None

    @property
    def input(self) -> Input:
        """What the network takes."""
        shape = self.data.train_images.shape[1:]
        return Input(shape, pixel_scale=(PIXEL_SCALE,), pixel_offset=(0.0,), frame=self.data.frame)

    def as_document(self) -> dict[str, Any]:
        """For a comparison with the job of a checkpoint."""
        recipe = asdict(self.recipe)
        return {
            "recipe": recipe.pop("name"),
            "epochs": self.epochs,
            "seed": self.seed,
            "patience": self.patience,
            "learning rate": recipe.pop("learning_rate"),
            "network": f"{self.network.name} {self.network.sha256[:16]}",
            "data": f"{self.data.name} {self.data.sha256[:16]}",
            "tools": f"tensorflow {tf.__version__}, keras {keras.__version__}",
            "details": recipe,
        }


@dataclass(frozen=True)
class Fitted:
    """A network that was fitted, and how."""

    model: keras.Model
    job: Job
    epochs: int
    history: History
    seconds: float


def fit(job: Job, folder: Path, resume: bool = False, softs: Softs | None = None, name: str = "training") -> Fitted:
    """Fit the job's network, a progress bar with the time left on stderr.

    Args:
        job: what determines the weights.
        folder: where the checkpoint of each epoch and TensorBoard's logs go.
        resume: go on from the checkpoint in `folder`.
        softs: what teachers say of distorted copies of the images (see `train.teachers`); without, the labels count.
        name: what the progress bar calls it.

    Raises:
        EdgecnnError: there is nothing to resume, the loss is no number any more, or Ctrl-C after an epoch.
        OSError: the disk is full; the last checkpoint is whole.
    """
    keras.utils.set_random_seed(job.seed)
    model = job.network.build(job.input.shape, len(job.data.labels))
    indices = fitted_indices(job)
    steps = -(-len(indices) // job.recipe.batch)
    _compile(model, job, steps, softs is not None)
    state = _begin(model, job, folder, resume)
    start = time.perf_counter() - state.seconds
    try:
        logs = _logs(folder)
        with watching(name, job.epochs, state.epochs, steps) as watch:
            while state.epochs < job.epochs and not _is_over(state, job):
                state = _epoch(model, job, state, _seen(job, indices, state.epochs, softs), watch)
                state = replace(state, seconds=time.perf_counter() - start)
                state.save(folder / CHECKPOINT)
                _log(state, logs)
    except KeyboardInterrupt:
        if state.epochs == 0:
            raise
        raise EdgecnnError(f"interrupted after epoch {state.epochs} of {job.epochs}: go on with --resume") from None
    if state.best:
        model.set_weights(state.best)
    return Fitted(job.network.finish(model), job, state.epochs, state.history, state.seconds)


def fitted_indices(job: Job) -> npt.NDArray[np.intp]:
    """Indices of the training images that the job fits its network to."""
    data = job.data
    return split_training(data.train_images, data.strata)[2] if job.holds_out else np.arange(len(data.train_images))


def distorted(job: Job, indices: npt.NDArray[np.intp], *seed: int) -> npt.NDArray[np.uint8]:
    """The training images at `indices`, distorted if the recipe says so."""
    images = job.data.train_images[indices]
    return images if job.recipe.distortion is None else distort(images, job.recipe.distortion, seed)


def _compile(model: keras.Model, job: Job, steps: int, soft: bool) -> None:
    recipe = job.recipe
    rate = recipe.learning_rate
    if recipe.cosine:
        warm_up = max(1, min(steps, steps * job.epochs // 10))
        decay = max(1, steps * job.epochs - warm_up)
        rate = keras.optimizers.schedules.CosineDecay(0.0, decay, warmup_target=rate, warmup_steps=warm_up)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    loss = soft_loss(recipe.temperature) if soft else "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, metrics=["accuracy"])


def soft_loss(temperature: float) -> Any:
    """Cross-entropy between a teacher's and a student's probabilities, both at a temperature.

    Source: G. Hinton, O. Vinyals, J. Dean (2015), "Distilling the Knowledge in a Neural Network", with its factor of
    the temperature squared. The softmax of a logit and of the logarithm of its probability are the same.
    """

    def loss(teacher: Any, student: Any) -> Any:
        wanted = keras.ops.softmax(teacher / temperature)
        found = keras.ops.log_softmax(keras.ops.log(student + _LEAST_SHARE) / temperature)
        return -(temperature**2) * keras.ops.sum(wanted * found, axis=-1)

    return loss


def _begin(model: keras.Model, job: Job, folder: Path, resume: bool) -> State:
    if resume:
        state = read_state(folder / CHECKPOINT, job.as_document())
        assign(variables(model), state.arrays)
        return state
    shutil.rmtree(folder / LOGS, ignore_errors=True)
    return State(job.as_document(), 0, {}, [], [], 0.0)


def _seen(job: Job, indices: npt.NDArray[np.intp], epoch: int, softs: Softs | None) -> Batch:
    """What the network sees in an epoch, in its order: inputs, and labels or a teacher's answers."""
    order = np.random.default_rng([job.seed, epoch]).permutation(len(indices))
    if softs is None:
        images, targets = distorted(job, indices, job.seed, epoch), job.data.train_labels[indices]
    else:
        copy = epoch % len(softs)
        images, targets = distorted(job, indices, copy), softs[copy].astype(np.float32)
    return normalize(images[order], job.input), targets[order]


def _epoch(model: keras.Model, job: Job, state: State, seen: Batch, watch: Watch) -> State:
    """The state after one more epoch."""
    inputs, targets = seen
    logs = model.fit(inputs, targets, batch_size=job.recipe.batch, shuffle=False, verbose=0, callbacks=[watch]).history
    found = {name: float(of[0]) for name, of in logs.items()}
    if job.holds_out:
        found |= _validation(model, job)
    history = {name: [*state.history.get(name, []), value] for name, value in found.items()}
    watch.tell(state.epochs + 1, found)
    best = _best(model, job, state, history)
    return State(state.job, state.epochs + 1, history, values(variables(model)), best, state.seconds)


def _validation(model: keras.Model, job: Job) -> dict[str, float]:
    """Loss and accuracy on the images of validation.npz."""
    indices = split_training(job.data.train_images, job.data.strata)[1]
    inputs, labels = normalize(job.data.train_images[indices], job.input), job.data.train_labels[indices]
    probabilities = model.predict(inputs, batch_size=_BATCH, verbose=0)
    right = probabilities[np.arange(len(labels)), labels]
    return {
        "val_loss": float(-np.log(right + _LEAST_SHARE).mean()),
        "val_accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
    }


def _best(model: keras.Model, job: Job, state: State, history: History) -> Arrays:
    """The weights of the best epoch so far, where early stopping asks for them."""
    if job.patience is None:
        return []
    *earlier, last = history["val_accuracy"]
    return model.get_weights() if not earlier or last > max(earlier) else state.best


def _is_over(state: State, job: Job) -> bool:
    """Whether the accuracy on validation has not risen for as many epochs as the job has patience."""
    found = state.history.get("val_accuracy", [])
    return job.patience is not None and bool(found) and len(found) - 1 - int(np.argmax(found)) >= job.patience


def _logs(folder: Path) -> Any:
    """What writes TensorBoard's logs; None where they cannot be written."""
    with decorating(LOGS):
        return tf.summary.create_file_writer(str(folder / LOGS))
    return None


def _log(state: State, logs: Any) -> None:
    """Add an epoch to TensorBoard's logs."""
    if logs is not None:
        with decorating(LOGS), logs.as_default():
            for name, found in state.history.items():
                tf.summary.scalar(name, found[-1], step=state.epochs)
            logs.flush()
