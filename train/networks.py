"""How networks are built and delivered: the reference network, and the larger one that teaches it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.manifest import Input
from workstation.architectures import reference_cnn

_LEAST_SIDE = 18  # pixels: the least that two poolings and three convolutions can take
_MOMENTUM = 0.9  # of batch normalization's running means

Build = Callable[[tuple[int, ...], int], keras.Model]


@dataclass(frozen=True)
class Architecture:
    """A network by name; `build(shape, classes)` returns it untrained.

    Its input is float32 from 0 to 1, or from -1 to 1 if it is signed, (batch, *shape), its output probabilities,
    (batch, classes).
    """

    name: str
    build: Build
    sha256: str  # of the file with its function
    signed: bool = False  # its pixels run from -1 to 1
    entry: Input | None = None  # how pixels become its input, where neither is so
    pretrained: tuple[str, ...] = ()  # layers that start with weights of another training
    folded: Build | None = None  # builds the network without batch normalization, see `fold`
    parent_sha256: str | None = None  # of the weights of the network that it is a smaller form of
    budget: str | None = None  # that it was made for, in words

    def finish(self, model: keras.Model) -> keras.Model:
        """The fitted network as it is delivered."""
        if self.folded is None:
            return model
        return fold(model, self.folded(model.input_shape[1:], model.output_shape[1]))


def normalized_cnn(shape: tuple[int, ...], classes: int) -> keras.Model:
    """The reference network with batch normalization, with which it learns best.

    Batch normalization follows the pooling, where there is a quarter to compute. It has no scale of its own, so it is
    increasing: it may change places with pooling and ReLU, and `fold` leaves the reference network.
    """
    stack: list[keras.Layer] = [keras.Input(shape)]
    for filters, pools in ((32, True), (64, True), (64, False)):
        stack += [layers.Conv2D(filters, 3, use_bias=False), *([layers.MaxPooling2D(2)] if pools else []), *_normal()]
    stack += [layers.Flatten(), layers.Dense(64, use_bias=False), *_normal()]
    return keras.Sequential([*stack, layers.Dense(classes, activation="softmax")], name="normalized_cnn")


def teacher_cnn(shape: tuple[int, ...], classes: int) -> keras.Model:
    """The teacher: six convolutions with batch normalization, 166,000 parameters on 28x28x1."""
    stack: list[keras.Layer] = [keras.Input(shape)]
    for filters, padding in ((24, "valid"), (48, "valid"), (96, "same")):
        for pools in (False, True):
            stack.append(layers.Conv2D(filters, 3, padding=padding, use_bias=False))
            stack += [*([layers.MaxPooling2D(2)] if pools else []), *_normal()]
    stack += [layers.Flatten(), layers.Dropout(0.3), layers.Dense(classes, activation="softmax")]
    return keras.Sequential(stack, name="teacher_cnn")


def _normal() -> list[keras.Layer]:
    return [layers.BatchNormalization(momentum=_MOMENTUM, scale=False), layers.ReLU()]


def fold(fitted: keras.Model, plain: keras.Model) -> keras.Model:
    """Set the weights of `plain` so that it computes what `fitted` does with batch normalization.

    (W x - mean) / deviation + beta = (W / deviation) x + (beta - mean / deviation), where deviation is
    sqrt(variance + epsilon). Source: B. Jacob et al. (2018), "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", 3.2.

    Args:
        fitted: a Sequential; a layer before batch normalization has no bias.
        plain: the same layers in the same order, with a bias, without batch normalization.
    """
    weights: list[npt.NDArray[np.float32]] = []
    for layer in fitted.layers:
        if isinstance(layer, layers.BatchNormalization):
            beta, mean, variance = layer.get_weights()
            deviation = np.sqrt(variance + layer.epsilon)
            weights += [weights.pop() / deviation, beta - mean / deviation]
        else:
            weights += layer.get_weights()
    plain.set_weights(weights)
    return plain


def reference_network(shape: tuple[int, ...], normalized: bool) -> Architecture:
    """The reference network; `normalized`: with batch normalization while it is fitted.

    Raises:
        EdgecnnError: the images are too small for it.
    """
    if min(shape[:2]) < _LEAST_SIDE:
        raise EdgecnnError(
            f"the reference network takes images of {_LEAST_SIDE} pixels a side or more: --image-size, or --model"
        )
    plain = network_of(reference_cnn)
    return replace(plain, build=normalized_cnn, folded=reference_cnn) if normalized else plain


def network_of(build: Build) -> Architecture:
    """The network of a function, named after it."""
    return Architecture(build.__name__, build, sha256(Path(inspect.getfile(build)).read_bytes()))
