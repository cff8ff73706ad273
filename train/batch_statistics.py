"""Means and variances of batch normalization, taken anew from the training images as they are.

A training changes its images (blur, mixtures, distortions), and the running means and variances are those of changed
images, while the network will answer unchanged ones. Sources: Y. Wu, J. Johnson (2021), "Rethinking 'Batch' in
BatchNorm"; H. Touvron et al. (2019), "Fixing the train-test resolution discrepancy".
"""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import layers

from train.fast_network import is_graph, normalized_by_batch


class _Measured(layers.Layer):  # type: ignore[misc]
    """Batch normalization that adds up the statistics of every batch it is called with."""

    def __init__(self, layer: layers.BatchNormalization) -> None:
        super().__init__(name=layer.name)
        self.layer = layer
        self.calls = tf.Variable(0.0, trainable=False)
        self.sums = [tf.Variable(tf.zeros_like(running), trainable=False) for running in self._running()]

    @staticmethod
    def suits(layer: layers.BatchNormalization) -> bool:
        """Whether the layer is trained, and normalizes its last axis by the float32 statistics of a batch."""
        last = layer.axis in (-1, layer.input_spec.ndim - 1)
        plain = layer.compute_dtype == "float32" and not layer.renorm and not layer.synchronized
        return last and plain and layer.trainable

    def _running(self) -> list[Any]:
        return [self.layer.moving_mean, self.layer.moving_variance]

    def begin(self) -> None:
        """Forget all batches."""
        for variable in (self.calls, *self.sums):
            variable.assign(tf.zeros_like(variable))

    def end(self) -> None:
        """Give the layer the mean statistics of all batches, if there were any."""
        for running, total in zip(self._running(), self.sums, strict=True):
            running.assign(total / self.calls if self.calls > 0 else running)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalize by the statistics of the batch; all axes but the last are one to the kernel."""
        rows = tf.reshape(inputs, [-1, 1, 1, inputs.shape[-1]])
        outputs, *current = normalized_by_batch(self.layer, rows)
        self.calls.assign_add(1.0)
        for total, now in zip(self.sums, current, strict=True):
            total.assign_add(now)
        return tf.reshape(outputs, tf.shape(inputs))


class BatchStatistics:
    """Sets the means and variances of a model's batch normalization."""

    def __init__(self, model: keras.Model) -> None:
        """Copy the graph, of the same variables; where the layers are in no graph, nothing will be set."""
        self._measured: list[_Measured] = []
        if is_graph(model):
            copy = keras.models.clone_model(model, clone_function=self._copied, recursive=True)
            self._answer = tf.function(lambda inputs: copy(inputs, training=False), reduce_retracing=True)

    def _copied(self, layer: layers.Layer) -> layers.Layer:
        if not (isinstance(layer, layers.BatchNormalization) and layer.built and _Measured.suits(layer)):
            return layer
        self._measured.append(_Measured(layer))
        return self._measured[-1]

    def take(self, batches: Iterable[npt.NDArray[np.float32]]) -> None:
        """Set the statistics to the means of those of the batches, (n, height, width, channels) each."""
        for layer in self._measured:
            layer.begin()
        for inputs in batches if self._measured else ():
            self._answer(tf.constant(inputs))
        for layer in self._measured:
            layer.end()
