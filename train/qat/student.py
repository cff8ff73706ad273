"""The network that is fitted: a Keras model whose one layer computes the parent's graph, rounded as TFLite rounds it.

Its weights are those of the parent. A range is the calibrated one, times the exponential of a number that is learned by
the gradient of what it clips; so is the size of each output channel of weights of 4 bits. Both rest in the last fifth
of the training; batch normalization rests throughout: the graph is that of inference, whose statistics TFLite folds
into the weights.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from train.qat.graph import Graph
from train.qat.kernels import on_grid
from workstation.tflite_ranges import Range

RESTING = 5  # in one part of so many, the last, ranges rest

Weights = Sequence[npt.NDArray[np.float32]]


class Student(keras.layers.Layer):  # type: ignore[misc]
    """The graph as a layer: images in, probabilities out."""

    def __init__(
        self, graph: Graph, weights: Weights, sizes: Weights, ranges: Sequence[Range], output: str, steps: int
    ) -> None:
        """Take over the parent's weights.

        Args:
            graph: of the parent.
            weights: of the graph's variables, in their order.
            sizes: of the weights of 4 bits, of each variable's output channels.
            ranges: of the graph's activations, in their order.
            output: the kind of the parent's output, of `edgecnn.answers`.
            steps: batches after which ranges rest.
        """
        super().__init__(name="student")
        self.supports_jit = False
        self.graph, self.ranges, self.kind, self.steps = graph, ranges, output, steps
        self.rounded = graph.function([graph.last], rounds_output=output == "logits")
        self.copies = [
            self.add_weight(shape=array.shape, initializer=_exactly(array), name=f"weights_{place}")
            for place, array in enumerate(weights)
        ]
        groups = [rounded.tensor.group for rounded in graph.activations]
        order = list(dict.fromkeys(groups))
        self.places = [order.index(group) for group in groups]
        self.movable = [float(rounded.tensor.group not in graph.still) for rounded in graph.activations]
        self.stretches = self.add_weight(shape=(len(order), 2), initializer="zeros", name="stretches")
        self.sizes = [np.asarray(channels, np.float32) for channels in sizes]
        self.growths = [
            self.add_weight(shape=channels.shape, initializer="zeros", name=f"growths_{place}")
            for place, channels in enumerate(self.sizes)
        ]
        self.seen = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="seen")

    def call(self, images: Any, training: bool | None = None) -> Any:
        """Probabilities, (n, classes)."""
        import tensorflow as tf

        learned = [tf.convert_to_tensor(variable) for variable in (self.stretches, *self.growths)]
        if training:
            self.seen.assign_add(1)
            rests = tf.convert_to_tensor(self.seen) > self.steps
            learned = [tf.where(rests, tf.stop_gradient(tensor), tensor) for tensor in learned]
        stretches, *growths = learned
        weights = [tf.convert_to_tensor(copy) for copy in self.copies]
        numbers = (*weights, *self._ends(stretches), *self._sizes(growths))
        return _probabilities(self.rounded(images, *numbers)[0], self.kind)

    def _ends(self, stretches: Any) -> list[Any]:
        import tensorflow as tf

        pairs = zip(self.ranges, self.places, self.movable, strict=True)
        return [
            np.float32(end) * tf.exp(stretches[place, side] * moves)
            for bounds, place, moves in pairs
            for side, end in enumerate(bounds)
        ]

    def _sizes(self, growths: Sequence[Any]) -> list[Any]:
        import tensorflow as tf

        return [channels * tf.exp(growth) for channels, growth in zip(self.sizes, growths, strict=True)]

    def learned_weights(self) -> list[npt.NDArray[np.float32]]:
        """The weights of the graph's variables as they are now, those of 4 bits on their grid."""
        sizes = dict(zip(self.graph.coarse, self._sizes([growth.numpy() for growth in self.growths]), strict=True))
        named = zip(self.graph.variables, (copy.numpy() for copy in self.copies), strict=True)
        return [on_grid(array, np.asarray(sizes[name])) if name in sizes else array for name, array in named]

    def learned_ranges(self) -> list[Range]:
        """The ranges of the graph's activations as they are now."""
        ends = [float(end) for end in self._ends(self.stretches.numpy())]
        return list(zip(ends[::2], ends[1::2], strict=True))


def _probabilities(outputs: Any, kind: str) -> Any:
    if kind == "logits":
        return keras.ops.softmax(outputs)
    return keras.ops.concatenate([1 - outputs, outputs], axis=-1) if kind == "sigmoid" else outputs


def _exactly(array: npt.NDArray[np.float32]) -> Any:
    return lambda shape, dtype=None: keras.ops.convert_to_tensor(array, dtype)


def student_model(layer: Student, shape: tuple[int, ...]) -> keras.Model:
    """A Keras model of the one layer, for images of this shape."""
    image = keras.Input(shape)
    return keras.Model(image, layer(image))
