"""What a model answers, on an engine in a process of its own.

Not in this one: tflite-runtime fails where TensorFlow is loaded ("vector::reserve"), and a file that an engine cannot
stand may kill the process that opens it.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

import edgecnn.child_process
from edgecnn.child_process import Limits
from edgecnn.classifier import Classifier
from edgecnn.command import quiet
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import ModelFile

_T = TypeVar("_T")


def answers(
    model: ModelFile, engine: str, images: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.float32], float | None]:
    """Run a model over raw pixels.

    Args:
        model: a `.tflite` or `.onnx`.
        engine: the engine's name.
        images: uint8, (n, height, width, channels).

    Returns:
        Probabilities, float32, (n, classes); the output's quantization step, None where it is float.

    Raises:
        EdgecnnError: the engine cannot run the model, or died of it.
    """
    return apart(f"{model.path} on {engine}", _run, model, engine, images)


def apart(what: str, function: Callable[..., _T], *arguments: Any, limits: Limits | None = None) -> _T:
    """Call a function of a module in a process of its own.

    Raises:
        EdgecnnError: the process died of it, or took more than `limits`.
    """
    try:
        return edgecnn.child_process.in_child(function, *arguments, limits=limits)
    except MemoryError:
        raise EdgecnnError(f"{what} takes more memory than a classifier of its size should: it is not opened") from None
    except edgecnn.child_process.DiedError as death:
        raise EdgecnnError(
            f"the engine died of {what} ({death}): the file is damaged, or another engine is needed"
        ) from None


def _run(model: ModelFile, engine: str, images: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], float | None]:
    with quiet():
        classifier = Classifier.of(model, engine)
    return np.stack([found.probabilities for found in classifier.predict_batch(images)]), classifier.output_step
