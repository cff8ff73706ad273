"""The models to measure, each on every engine that is installed and runs it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.bench import images_for
from edgecnn.classifier import Classifier
from edgecnn.command import quiet
from edgecnn.engines import engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import newest_model, read_model
from edgecnn.selection import models_in


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
        images = images_for(path, model.manifest)
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
        files += models_in(path) if path.is_dir() else [path]
    return files
