"""Engines in processes of their own.

Not in this process: tflite-runtime fails where TensorFlow is loaded ("vector::reserve"), and a file that an engine
cannot stand may kill the process that opens it.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edgecnn.child_process import ChildProcess, DiedError, Limits, in_child
from edgecnn.classifier import Classifier
from edgecnn.command import quiet
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import ModelFile

Images = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]

_T = TypeVar("_T")
_STEP = 0.5  # seconds from one step of the progress bar to the next
_processes: dict[str, "ChildProcess[_Runner]"] = {}  # by engine; they end with this process


class _Runner:
    """In an engine's process: the model that it has loaded."""

    def load(self, model: ModelFile, engine: str) -> float | None:
        """Load a model; returns the quantization step of its output, None where that is float."""
        with quiet():
            self._classifier = Classifier.of(model, engine)
        return self._classifier.output_step

    def run(self, images: Images) -> Probabilities:
        return np.stack([prediction.raw_probabilities for prediction in self._classifier.predict_batch(images)])


def answers_by_engine(model: ModelFile, images: Images) -> dict[str, Probabilities | str]:
    """Run a model on every installed engine of its format.

    Args:
        model: a `.tflite` or `.onnx`.
        images: raw pixels, uint8, (n, height, width, channels).

    Returns:
        By engine: raw probabilities, float32, (n, classes); or why it does not run the model.
    """
    engines = engines_for(model.manifest.format, str(model.path))
    total = len(engines) * len(images)
    with (
        tqdm(total=total, desc="proving", unit="image", disable=None, leave=False, delay=1) as bar,
        ThreadPoolExecutor() as pool,
    ):
        answers = pool.map(lambda engine: _answers_or_reason(model, engine, images, bar), engines)
        return dict(zip(engines, answers, strict=True))


def _answers_or_reason(model: ModelFile, engine: str, images: Images, bar: Any) -> Probabilities | str:
    try:
        return _answers(model, engine, images, bar)[0]
    except EdgecnnError as error:
        return str(error)
    except DiedError as death:
        return f"{engine} died of it ({death})"


def answers(model: ModelFile, engine: str, images: Images) -> tuple[Probabilities, float | None]:
    """Run a model on one engine.

    Args:
        model: a `.tflite` or `.onnx`.
        engine: the engine's name.
        images: raw pixels, uint8, (n, height, width, channels).

    Returns:
        Raw probabilities, float32, (n, classes); the output's quantization step, None where it is float.

    Raises:
        EdgecnnError: the engine cannot run the model, or died of it.
    """
    with _engine_errors(f"{model.path} on {engine}"):
        return _answers(model, engine, images, tqdm(disable=True))


def _answers(model: ModelFile, engine: str, images: Images, bar: Any) -> tuple[Probabilities, float | None]:
    if engine not in _processes:
        _processes[engine] = ChildProcess(_Runner)
    process = _processes[engine]
    try:
        step = process.call(_Runner.load, model, engine)
        return np.concatenate(list(_in_steps(process, images, bar))), step
    except DiedError:
        del _processes[engine]
        raise


def _in_steps(process: "ChildProcess[_Runner]", images: Images, bar: Any) -> Iterator[Probabilities]:
    """Answers to the images, as many at once as take about `_STEP` seconds."""
    begin, count = 0, 8
    while begin < len(images):
        chunk, started = images[begin : begin + count], time.monotonic()
        yield process.call(_Runner.run, chunk)
        bar.update(len(chunk))
        begin += len(chunk)
        count = max(8, min(4 * count, int(count * _STEP / max(time.monotonic() - started, 1e-6)) // 8 * 8))


def in_engine_process(what: str, function: Callable[..., _T], *arguments: Any, limits: Limits | None = None) -> _T:
    """Call a function that opens `what` with an engine, in a process of its own.

    Raises:
        EdgecnnError: the process died of it, or took more than `limits`.
    """
    with _engine_errors(what):
        return in_child(function, *arguments, limits=limits)


@contextmanager
def _engine_errors(what: str) -> Iterator[None]:
    """Say in a line what an engine's process died of."""
    try:
        yield
    except MemoryError:
        raise EdgecnnError(f"{what} takes more memory than a classifier of its size should: it is not opened") from None
    except DiedError as death:
        raise EdgecnnError(
            f"the engine died of {what} ({death}): the file is damaged, or another engine is needed"
        ) from None
