"""The models to measure, each on every engine that is installed and runs it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.classifier import Classifier
from edgecnn.command import quiet
from edgecnn.dataset import read_dataset
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import ModelFile, newest_model, read_model

IMAGES = 64  # that a benchmark goes round on


@dataclass(frozen=True)
class Contestant:
    """A model on an engine, and images for it."""

    path: Path
    classifier: Classifier
    images: npt.NDArray[np.uint8]  # (n, height, width, channels)


def contestants(paths: Sequence[Path], engine: str | None = None, threads: int = 1) -> list[Contestant]:
    """Load models, each on every installed engine that runs it, or on the one that is named.

    Args:
        paths: model files and folders of them; none stands for the newest folder in artifacts/.
        engine: the only engine; without one, those that cannot run a file are left out, which is said on stderr.
        threads: threads for one inference.

    Raises:
        EdgecnnError: there is no model, no engine for one, or the engine named cannot run it.
    """
    found = []
    for path in model_files(paths):
        model = read_model(path)
        images = _images(model)
        for name in [engine] if engine else engines_for(model.manifest.format, str(path)):
            try:
                with quiet():  # engines greet on stderr
                    found.append(Contestant(path, Classifier.of(model, name, threads), images))
            except EdgecnnError as error:
                if engine:
                    raise
                print(f"left out: {error}", file=sys.stderr)
    return found


def model_files(paths: Sequence[Path]) -> list[Path]:
    """The `.tflite` and `.onnx` files that `paths` name; none stands for the newest folder in artifacts/.

    Raises:
        EdgecnnError: there is none.
    """
    files: list[Path] = []
    for path in paths or [newest_model().parent]:
        files += sorted(path.glob("*.tflite")) + sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    if not files:
        raise EdgecnnError("no .tflite or .onnx file there: run python -m convert.tflite, or name a file")
    return files


def _images(model: ModelFile) -> npt.NDArray[np.uint8]:
    """Some images of the evaluation split that lies beside a model; noise where there is none."""
    beside = model.path.with_name("evaluation.npz")
    if beside.exists():
        return read_dataset(beside, model.manifest).images[:IMAGES]
    return np.random.default_rng(0).integers(0, 256, (IMAGES, *model.manifest.input.shape), np.uint8)
