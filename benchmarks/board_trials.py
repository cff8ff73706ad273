"""Models on the engines of an emulated board: answers beside those of this machine, verdict, instructions."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.boards import python_of
from benchmarks.instructions import instructions
from benchmarks.models import model_files
from edgecnn.command import GATE_FAILED, OK
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_answered
from edgecnn.engines import ENGINES, engines_of
from edgecnn.files import write_file
from edgecnn.golden import FILE, FLOAT_BOUND, make
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.native_description import available
from edgecnn.programs import run_program
from workstation.boards import Board

IMAGES = 200  # for `check`
COMPARED = 64  # of these, plain and blended with noise


@dataclass(frozen=True)
class Trial:
    """A model on an engine on a board."""

    board: str
    engine: str
    version: str
    model: str
    images: int
    correct: int
    worst: float  # the largest difference of a probability from this machine's, by `edgecnn golden`
    steps: bool  # whether `worst` counts steps of an int8 output
    check: str  # verdict of `edgecnn check` there
    instructions: int | None  # of one call of the engine
    of_plain: float | None  # their ratio to those of the plain conversion

    @property
    def passed(self) -> bool:
        """Whether it passes the check there, with the answers of this machine."""
        return self.check == "PASS" and self.worst <= (1 if self.steps else FLOAT_BOUND)


def doctor(board: Board) -> dict[str, Any]:
    """The diagnosis of `edgecnn doctor` there."""
    diagnosis: dict[str, Any] = json.loads(on(board, "-m", "edgecnn", "doctor", "--json").stdout)
    return diagnosis


def with_native(board: Board, diagnosis: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A diagnosis, with the engine `native` if the folder has a library for the board."""
    if not any(_has_library(path, board) for path in model_files([folder])):
        return diagnosis
    kinds = [kind for kind in ENGINES.values() if kind.companions]
    engines = [{"engine": kind.name, "version": "", "state": "works"} for kind in kinds]
    return diagnosis | {"engines": [*diagnosis["engines"], *engines]}


def _has_library(model: Path, board: Board) -> bool:
    return available(model, board.system.library)


def on(board: Board, *words: object) -> "subprocess.CompletedProcess[str]":
    """Run a board's Python.

    Raises:
        EdgecnnError: the program was killed, or its input is wrong.
    """
    return run_program(python_of(board), *words, fine=(OK, GATE_FAILED))


def trials(board: Board, diagnosis: dict[str, Any], folder: Path, count: bool = True) -> list[Trial]:
    """Try every model of a folder on every engine that works on a board, and here.

    Args:
        board: the board.
        diagnosis: of `doctor` there.
        folder: models and evaluation.npz.
        count: whether instructions are counted.
    """
    files = [read_model(path) for path in model_files([folder])]
    working = [engine for engine in diagnosis["engines"] if engine["state"] == "works"]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        data = read_answered(folder / "evaluation.npz", files[0].manifest)
        sample, golden = Path(scratch) / "sample.npz", _golden(data, folder, Path(scratch) / "models")
        data.sample(IMAGES).save(sample)
        for engine in working:
            name, version = engine["engine"], engine["version"]
            if models := [model for model in files if _runs(name, model, board)]:
                counts = instructions(board, name, models) if count else {}
                rows += _on_engine(board, name, version, models, golden, sample, counts)
    return rows


def _runs(engine: str, model: ModelFile, board: Board) -> bool:
    here = engine in engines_of(model.path, model.manifest.format)
    return here and (not ENGINES[engine].companions or _has_library(model.path, board))


def _on_engine(
    board: Board,
    engine: str,
    version: str,
    models: Sequence[ModelFile],
    golden: Path,
    sample: Path,
    counts: dict[str, int],
) -> list[Trial]:
    words = ("-m", "edgecnn", "golden", golden, "--engine", engine, "--json")
    compared = {row["model"]: row for row in json.loads(on(board, *words).stdout)}
    rows = []
    for model in models:
        file = model.path.name
        checking = ("-m", "edgecnn", "check", model.path, sample, "--engine", engine, "--json")
        report = json.loads(on(board, *checking).stdout)
        count, plain = counts.get(file), counts.get(_plain(model, models))
        rows.append(
            Trial(
                board=board.name,
                engine=engine,
                version=version,
                model=file,
                images=report["images"],
                correct=round(report["accuracy"] * report["images"]),
                worst=compared[file]["worst"],
                steps=compared[file]["steps"],
                check=report["verdict"],
                instructions=count,
                of_plain=count / plain if count and plain and model.manifest.rewrites else None,
            )
        )
    return rows


def _plain(model: ModelFile, models: Sequence[ModelFile]) -> str:
    """The file without rewrites that has a model's weights and quantization; empty if there is none."""
    kind = (model.manifest.quantization, model.manifest.weights_sha256)
    alike = [other for other in models if (other.manifest.quantization, other.manifest.weights_sha256) == kind]
    return next((other.path.name for other in alike if not other.manifest.rewrites), "")


def _golden(data: Dataset, models: Path, folder: Path) -> Path:
    """Copy the models with the files beside them into a folder, and write their answers on this machine there."""
    shutil.copytree(models, folder, symlinks=True)
    write_file(folder / FILE, make(model_files([models]), data.sample(COMPARED).images))
    return folder
