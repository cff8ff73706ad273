"""A running mean of a network's weights over the batches: it answers better than the weights of the last batch.

Source: B. Polyak, A. Juditsky (1992), "Acceleration of Stochastic Approximation by Averaging"; exponential, with the
warm-up of TensorFlow's `ExponentialMovingAverage`.
"""

import contextlib
from collections.abc import Iterator

import keras
import numpy as np

from train.checkpoint import Arrays


class Averages(keras.callbacks.Callback):  # type: ignore[misc]
    """Follows the weights of a model that is fitted, those of batch normalization included."""

    def __init__(self, model: keras.Model, decay: float, arrays: Arrays) -> None:
        """Start from the model's weights, or go on from the `arrays` of a checkpoint.

        Args:
            model: compiled.
            decay: the share of the mean that a batch leaves; 0: the mean is the weights.
            arrays: of weights, or none.
        """
        super().__init__()
        self.network, self.decay = model, decay
        self.arrays = arrays or (model.get_weights() if decay else [])

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Move the mean towards the weights: in the first batches, by more."""
        if not self.decay:
            return
        done = int(self.network.optimizer.iterations.numpy())
        left = np.float32(min(self.decay, done / (done + 9)))
        pairs = zip(self.arrays, self.network.weights, strict=True)
        self.arrays = [mean + (1 - left) * (weights.numpy() - mean) for mean, weights in pairs]

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the mean into the model, and the weights back at the end."""
        if not self.decay:
            yield
            return
        weights = self.network.get_weights()
        self.network.set_weights(self.arrays)
        yield
        self.network.set_weights(weights)
