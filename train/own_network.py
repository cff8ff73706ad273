"""Your own network: a function in a file of yours, tried before hours go into fitting it."""

import importlib.util
import tempfile
import traceback
from pathlib import Path

import keras
import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256
from train.networks import Architecture, Build

_MOST_WORDS = 200  # characters of an error of Keras


def load_network(words: str, shape: tuple[int, ...], classes: int) -> Architecture:
    """Load the network that `FILE.py:FUNCTION` names: the function gets (shape, classes) and returns a Keras model.

    Raises:
        EdgecnnError: there is no such file or function, it fails, or its model does not end in probabilities.
    """
    file, _, function = words.rpartition(":")
    if not file:
        raise EdgecnnError(f"--model {words}: write FILE.py:FUNCTION")
    source = read_file(Path(file))
    build = getattr(_imported(file), function, None)
    if not callable(build):
        raise EdgecnnError(f"--model {words}: {file} has no function {function}")
    _try(words, build, shape, classes)
    return Architecture(function, build, sha256(source + function.encode()))


def _imported(file: str) -> object:
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None or spec.loader is None:
        raise EdgecnnError(f"--model {file}: it is no Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _failure(file, error) from None
    return module


def _try(words: str, build: Build, shape: tuple[int, ...], classes: int) -> None:
    """Build the network once and check that it ends in probabilities and can be saved.

    Raises:
        EdgecnnError: it does not.
    """
    try:
        model = build(shape, classes)
        answer = np.asarray(model(np.zeros((2, *shape), np.float32)))
    except Exception as error:
        raise _failure(words, error) from None
    if answer.shape != (2, classes):
        raise EdgecnnError(
            f"--model {words}: its output has the shape {answer.shape[1:]}; wanted {classes} probabilities"
        )
    if answer.min() < 0 or not np.allclose(answer.sum(axis=1), 1, atol=1e-3):
        raise EdgecnnError(f"--model {words}: its outputs do not add up to 1: end it with a softmax")
    _try_saving(words, model)


def _try_saving(words: str, model: keras.Model) -> None:
    """Save the network once, before it is fitted."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.save(Path(folder) / "model.keras")
        except Exception as error:
            text = " ".join(str(error).split())[:_MOST_WORDS]
            raise EdgecnnError(f"--model {words}: it cannot be saved: {type(error).__name__}: {text}") from None


def _failure(words: str, error: Exception) -> EdgecnnError:
    """What went wrong in the user's file, and where, in one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    first = str(error).strip().splitlines()[:1]
    return EdgecnnError(f"--model {words}: {type(error).__name__} in {last.filename}:{last.lineno}: {' '.join(first)}")
