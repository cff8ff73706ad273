"""How many instructions an emulated board executes for a call of an engine: counted by a plugin for QEMU."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.boards import HOME, PLUGIN, python_of
from edgecnn.modelfile import ModelFile
from edgecnn.programs import run_program
from workstation.boards import Board

_CALLS = 20
_SCRIPT = Path(__file__).with_name("counted_calls.py")


def instructions(board: Board, engine: str, models: Sequence[ModelFile]) -> dict[str, int]:
    """Instructions of one call of an engine, by the model's file name.

    Raises:
        EdgecnnError: the engine does not run a model there.
    """
    with tempfile.TemporaryDirectory() as scratch:
        counts = Path(scratch) / "counts"
        words = (_SCRIPT, engine, _CALLS, *(model.path for model in models))
        run_program(python_of(board), *words, env=os.environ | {"QEMU_PLUGIN": f"{HOME / PLUGIN},out={counts}"})
        marks = [int(line) for line in counts.read_text().split()]
    spans = zip(marks[::2], marks[1::2], strict=True)
    return {model.path.name: (end - begin) // _CALLS for model, (begin, end) in zip(models, spans, strict=True)}
