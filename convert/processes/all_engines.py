"""What a converted model answers on every engine that is here, each in a process that stays for the models to come.

Not in this one: tflite-runtime fails where TensorFlow is loaded ("vector::reserve"), and a file that an engine cannot
stand may kill the process that opens it.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edgecnn.child_process import ChildProcess, DiedError
from edgecnn.classifier import Classifier
from edgecnn.command import quiet
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import ModelFile

Images = npt.NDArray[np.uint8]
Answers = dict[str, npt.NDArray[np.float32] | str]  # by engine: probabilities (n, classes), or why it does not run it

_STEP = 0.5  # seconds from one step of the progress bar to the next
_processes: dict[str, "ChildProcess[_Runner]"] = {}  # by engine; they end with this process


class _Runner:
    """In an engine's process: the model that it has loaded."""

    def load(self, model: ModelFile, engine: str) -> None:
        with quiet():
            self._classifier = Classifier.of(model, engine)

    def run(self, images: Images) -> npt.NDArray[np.float32]:
        return np.stack([found.probabilities for found in self._classifier.predict_batch(images)])


def answers(model: ModelFile, images: Images) -> Answers:
    """Run a model over raw pixels on every engine that is here for its format.

    Args:
        model: a `.tflite` or `.onnx`.
        images: uint8, (n, height, width, channels).
    """
    engines = engines_for(model.manifest.format, str(model.path))
    total = len(engines) * len(images)
    with (
        tqdm(total=total, desc="proving", unit="image", disable=None, leave=False, delay=1) as bar,
        ThreadPoolExecutor() as pool,
    ):
        return dict(zip(engines, pool.map(lambda engine: _answers(model, engine, images, bar), engines), strict=True))


def _answers(model: ModelFile, engine: str, images: Images, bar: Any) -> npt.NDArray[np.float32] | str:
    if engine not in _processes:
        _processes[engine] = ChildProcess(_Runner)
    process = _processes[engine]
    try:
        process.call(_Runner.load, model, engine)
        return np.concatenate(list(_in_steps(process, images, bar)))
    except EdgecnnError as error:
        return str(error)
    except DiedError as death:
        del _processes[engine]
        return f"{engine} died of it ({death})"


def _in_steps(process: "ChildProcess[_Runner]", images: Images, bar: Any) -> Iterator[npt.NDArray[np.float32]]:
    """Answers to so many images at once as `_STEP` lasts."""
    begin, count = 0, 8
    while begin < len(images):
        chunk, started = images[begin : begin + count], time.monotonic()
        yield process.call(_Runner.run, chunk)
        bar.update(len(chunk))
        begin += len(chunk)
        count = max(8, min(4 * count, int(count * _STEP / max(time.monotonic() - started, 1e-6)) // 8 * 8))
