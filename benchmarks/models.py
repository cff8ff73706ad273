"""The models to measure, each on every engine that is installed and runs it."""

from collections.abc import Sequence
from pathlib import Path

from edgecnn.engines import engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import newest_model, read_model
from edgecnn.selection import models_in
from edgecnn.subject import Setup


def setups(
    paths: Sequence[Path], engine: str | None = None, threads: Sequence[int] = (1,), batch: Sequence[int] = (1,)
) -> list[Setup]:
    """Models on engines, with numbers of threads and of images a call.

    Args:
        paths: model files and folders of them; if empty, the newest folder in artifacts/.
        engine: the only engine; by default every engine here for the file, `native` if a library lies beside it.
        threads: threads for one inference.
        batch: images a call.

    Raises:
        EdgecnnError: there is no model, or no engine for any.
    """
    subjects = [
        Setup(path, name, count, images)
        for path in model_files(paths)
        for name in ([engine] if engine else engines_of(path, read_model(path).manifest.format))
        for count in threads
        for images in batch
    ]
    if not subjects:
        raise EdgecnnError("no engine is installed for these models: edgecnn doctor says what to install")
    return subjects


def model_files(paths: Sequence[Path]) -> list[Path]:
    """The `.tflite` and `.onnx` files in `paths`; if there are none, those of the newest folder in artifacts/.

    Raises:
        EdgecnnError: there is none.
    """
    files: list[Path] = []
    for path in paths or [newest_model().parent]:
        files += models_in(path) if path.is_dir() else [path]
    return files
