"""What `edgecnn tune` chooses for a network: of its int8 conversions, on all engines."""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.suite.build import INT8, INT8_ONNX, Files
from edgecnn.command import progress
from edgecnn.tune import best, tune


def tuned(files: Files, threads: Iterable[int]) -> list[dict[str, Any]]:
    """The candidates of `edgecnn tune` as its `--json` has them, with `chosen`; the fastest first."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in files.tflite.parent.glob(f"{Path(INT8).stem}*"):
            shutil.copy(path, folder)
        if files.onnx:
            shutil.copy(files.onnx, folder / INT8_ONNX)
        tried = tune(folder, files.keras / "validation.npz", threads)
    progress("")
    winner = best(tried)
    return [candidate.as_document() | {"chosen": candidate is winner} for candidate in tried]
