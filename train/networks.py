"""The networks that can be trained: the reference network, the larger ones that teach it, and your own."""

import importlib.util
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256

_LEAST_SIDE = 18  # pixels: what two poolings and three convolutions leave something of
_WHY = 200  # characters of an error of Keras
_MOMENTUM = 0.9  # of batch normalization's running means

Build = Callable[[tuple[int, ...], int], keras.Model]


@dataclass(frozen=True)
class Network:
    """A network by name; `build(shape, classes)` gives it untrained.

    It takes float32 in 0 to 1, (batch, *shape), and gives probabilities, (batch, classes).
    """

    name: str
    build: Build
    sha256: str  # of the file it is built by
    folded: Build | None = None  # what is left of it once it is fitted, see `fold`

    def finish(self, model: keras.Model) -> keras.Model:
        """What is delivered of the fitted network."""
        if self.folded is None:
            return model
        return fold(model, self.folded(model.input_shape[1:], model.output_shape[1]))


def reference_cnn(shape: tuple[int, ...], classes: int) -> keras.Model:
    """The CNN of the TensorFlow tutorial, 93,322 parameters on 28x28x1 with 10 classes."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ],
        name="reference_cnn",
    )


def normalized_cnn(shape: tuple[int, ...], classes: int) -> keras.Model:
    """The reference network as it learns best: with batch normalization.

    Batch normalization comes behind the pooling, where there is a quarter to compute. It does not scale: so it is
    increasing, pooling and ReLU may change places with it, and `fold` leaves the reference network.
    """
    stack: list[keras.Layer] = [keras.Input(shape)]
    for filters, pools in ((32, True), (64, True), (64, False)):
        stack += [layers.Conv2D(filters, 3, use_bias=False), *([layers.MaxPooling2D(2)] if pools else []), *_normal()]
    stack += [layers.Flatten(), layers.Dense(64, use_bias=False), *_normal()]
    return keras.Sequential([*stack, layers.Dense(classes, activation="softmax")], name="normalized_cnn")


def teacher_cnn(shape: tuple[int, ...], classes: int) -> keras.Model:
    """A network of six convolutions with batch normalization that teaches: 166,000 parameters on 28x28x1."""
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
    """Give `plain` the weights with which it does what `fitted` does, whose batch normalization is folded away.

    (W x - mean) / deviation + beta = (W / deviation) x + (beta - mean / deviation), where deviation is
    sqrt(variance + epsilon). Source: B. Jacob et al. (2018), "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", 3.2.

    Args:
        fitted: a Sequential of layers without a bias, each with batch normalization behind it, and others.
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


def reference_network(shape: tuple[int, ...], normalized: bool) -> Network:
    """The reference network, for images that it has room for; `normalized` while it is fitted.

    Raises:
        EdgecnnError: they are too small.
    """
    if min(shape[:2]) < _LEAST_SIDE:
        raise EdgecnnError(
            f"the reference network takes images of {_LEAST_SIDE} pixels a side or more: --image-size, or --model"
        )
    plain = network_of(reference_cnn)
    return replace(plain, build=normalized_cnn, folded=reference_cnn) if normalized else plain


def network_of(build: Build) -> Network:
    """The network of a function in this file, named after it."""
    return Network(build.__name__, build, sha256(Path(__file__).read_bytes()))


def load_network(words: str, shape: tuple[int, ...], classes: int) -> Network:
    """The network that `FILE.py:FUNCTION` names; the function takes (shape, classes) and gives a Keras model.

    Raises:
        EdgecnnError: there is no such file or function, it fails, or its model does not give probabilities.
    """
    file, _, function = words.rpartition(":")
    if not file:
        raise EdgecnnError(f"--model {words}: say FILE.py:FUNCTION")
    source = read_file(Path(file))
    build = getattr(_imported(file), function, None)
    if not callable(build):
        raise EdgecnnError(f"--model {words}: {file} has no function {function}")
    _try(words, build, shape, classes)
    return Network(function, build, sha256(source + function.encode()))


def _imported(file: str) -> object:
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise EdgecnnError(f"--model {file}: it is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _told(file, error) from None
    return module


def _try(words: str, build: Build, shape: tuple[int, ...], classes: int) -> None:
    """Build the network once, to see that it gives probabilities and can be saved.

    Raises:
        EdgecnnError: it does not.
    """
    try:
        model = build(shape, classes)
        answer = np.asarray(model(np.zeros((2, *shape), np.float32)))
    except Exception as error:
        raise _told(words, error) from None
    if answer.shape != (2, classes):
        raise EdgecnnError(f"--model {words}: it gives {answer.shape[1:]} an image; wanted {classes} probabilities")
    if answer.min() < 0 or not np.allclose(answer.sum(axis=1), 1, atol=1e-3):
        raise EdgecnnError(f"--model {words}: what it gives does not add up to 1: end it with a softmax")
    _try_saving(words, model)


def _try_saving(words: str, model: keras.Model) -> None:
    """See that the network can be saved, before hours go into fitting it."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.save(Path(folder) / "model.keras")
        except Exception as error:
            why = " ".join(str(error).split())[:_WHY]
            raise EdgecnnError(f"--model {words}: it cannot be saved: {type(error).__name__}: {why}") from None


def _told(words: str, error: Exception) -> EdgecnnError:
    """One line of what went wrong in the user's file, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    first = str(error).strip().splitlines()[:1]
    return EdgecnnError(f"--model {words}: {type(error).__name__} in {last.filename}:{last.lineno}: {' '.join(first)}")
