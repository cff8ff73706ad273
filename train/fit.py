"""Fit the reference CNN to a data set by a recipe."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow: its greetings are no news

import keras
from tqdm.keras import TqdmCallback

from edgecnn.manifest import Input
from edgecnn.pixels import normalize
from train.datasets import Data
from train.network import reference_cnn
from train.recipes import Recipe
from train.splits import fitted_indices

PIXEL_SCALE = 1 / 255


@dataclass(frozen=True)
class Fitted:
    """A network that was fitted, and how."""

    model: keras.Model
    input: Input
    recipe: Recipe
    seed: int
    epochs: int
    history: dict[str, list[float]]  # loss and accuracy of each epoch
    seconds: float


def fit(data: Data, recipe: Recipe, epochs: int, seed: int) -> Fitted:
    """Fit a new reference CNN, a progress bar on stderr.

    The same seed gives the same weights on the same machine.
    """
    wanted = Input(data.train_images.shape[1:], pixel_scale=(PIXEL_SCALE,), pixel_offset=(0.0,), frame=data.frame)
    chosen = fitted_indices(len(data.train_images), recipe)
    keras.utils.set_random_seed(seed)
    model = reference_cnn(wanted.shape, len(data.labels))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    with _interrupts() as stop:
        done = model.fit(
            normalize(data.train_images[chosen], wanted),
            data.train_labels[chosen],
            batch_size=recipe.batch,
            epochs=epochs,
            verbose=0,
            callbacks=[stop, TqdmCallback(verbose=1, desc="training", leave=False, mininterval=_pace())],
        )
    history = {name: [float(value) for value in values] for name, values in done.history.items()}
    return Fitted(model, wanted, recipe, seed, epochs, history, time.perf_counter() - start)


@contextlib.contextmanager
def _interrupts() -> Iterator[keras.callbacks.Callback]:
    """A callback that raises Ctrl-C between two batches; raised within one, TensorFlow may swallow it."""
    asked: list[int] = []

    def stop(batch: int, logs: object = None) -> None:
        if asked:
            raise KeyboardInterrupt

    usual = signal.getsignal(signal.SIGINT)
    if usual is not signal.SIG_IGN:  # as in a shell's background job
        signal.signal(signal.SIGINT, lambda number, _: asked.append(number))
    try:
        yield keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    finally:
        signal.signal(signal.SIGINT, usual)


def _pace() -> float:
    """Seconds between two states of the progress bar: seldom where no terminal can overwrite the last."""
    return 0.1 if sys.stderr.isatty() else 30.0
