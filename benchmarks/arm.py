"""Try the wheel on emulated boards: its answers beside those of this machine, and the instructions of an inference.

On each board, for each engine that works there and each model that it runs: `edgecnn check` on 200 test images; the
probabilities of 64 of them, plain and blended with noise, since plain ones saturate the softmax; and how many thousand
instructions the engine's call takes, by a plugin for QEMU, with the ratio to the plain conversion where the folder
holds one (`--forms all` writes it). The engine `native` takes part where `python -m convert.c --build` left libraries.
An int8 model may differ by one step of its output, a float one by 1e-5. Seconds would mean nothing. Boards are built
where they are missing (see benchmarks.boards).

Examples:
  python -m benchmarks.arm
  python -m benchmarks.arm artifacts/mnist --boards pi4,pi5 --json
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.boards import HOME, PLUGIN, build, python_of
from benchmarks.models import model_files
from benchmarks.origin import origin
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, progress, table
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_answered
from edgecnn.engines import ENGINES, engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.golden import FILE, FLOAT_BOUND, make
from edgecnn.modelfile import ModelFile, newest_model, read_model
from edgecnn.native_description import available
from edgecnn.programs import run_program
from workstation.boards import EMULATED, Board

IMAGES = 200  # for `check`
COMPARED = 64  # of these, plain and blended with noise

HEAD = ("board", "engine", "version", "model", "right", "off by at most", "verdict", "k instr.", "of plain")
_CALLS = 20
_COUNTED = Path(__file__).with_name("calls.py")


@dataclass(frozen=True)
class Trial:
    """A model on an engine on a board."""

    board: str
    engine: str
    version: str
    model: str
    images: int
    correct: int
    worst: float  # the largest difference of a probability from this machine's, as `edgecnn golden` tells it
    steps: bool
    check: str  # verdict of `edgecnn check` there
    instructions: int | None  # of one call of the engine
    of_plain: float | None  # the share of those of the plain conversion

    @property
    def passed(self) -> bool:
        """Whether it is as right there, and as good as the same."""
        return self.check == "PASS" and self.worst <= (1 if self.steps else FLOAT_BOUND)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.arm`: `GATE_FAILED` where a board answers otherwise."""
    parser = command_parser("python -m benchmarks.arm", __doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="models and evaluation.npz (default: the newest)")
    parser.add_argument("--boards", help=f"some of {','.join(EMULATED)} (default: all)")
    options = parser.parse_args(argv)
    boards = [_board(name) for name in options.boards.split(",")] if options.boards else list(EMULATED.values())
    progress("building boards")
    build(boards)
    progress(f"trying {', '.join(board.name for board in boards)}")
    folder = options.folder or newest_model().parent
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        diagnoses = [
            with_native(board, found, folder) for board, found in zip(boards, pool.map(doctor, boards), strict=True)
        ]
        rows = [row for each in pool.map(trials, boards, diagnoses, repeat(folder)) for row in each]
    progress("")
    if options.json:
        said = [_summary(board, found) for board, found in zip(boards, diagnoses, strict=True)]
        print_json({"boards": said, "trials": [asdict(row) | {"passed": row.passed} for row in rows]} | origin())
    else:
        print(table(HEAD, map(cells, rows)))
    return OK if all(row.passed for row in rows) else GATE_FAILED


def _board(name: str) -> Board:
    if name not in EMULATED:
        raise EdgecnnError(f"there is no board {name!r}: choose {', '.join(EMULATED)}")
    return EMULATED[name]


def _summary(board: Board, found: dict[str, Any]) -> dict[str, Any]:
    """What of a diagnosis is the board's and not this machine's."""
    device = found["device"]
    return {
        "name": board.name,
        "system": device["system"].split(",")[0],
        "python": device["python"],
        "machine": device["machine"],
        "engines": [{key: each[key] for key in ("engine", "version", "state")} for each in found["engines"]],
    }


def cells(row: Trial) -> tuple[str, ...]:
    """A trial as people read it, under `HEAD`."""
    worst = f"{row.worst:.0f} steps" if row.steps else f"{row.worst:.0e}"
    right, verdict = f"{row.correct} of {row.images}", "PASS" if row.passed else "FAIL"
    count = f"{row.instructions / 1000:,.0f}" if row.instructions else ""
    counted = (count, f"{row.of_plain:.3f}" if row.of_plain else "")
    return (row.board, row.engine, row.version, row.model, right, worst, verdict, *counted)


def doctor(board: Board) -> dict[str, Any]:
    """What `edgecnn doctor` says there."""
    found: dict[str, Any] = json.loads(on(board, "-m", "edgecnn", "doctor", "--json").stdout)
    return found


def with_native(board: Board, found: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What `doctor` found, and the engine `native` where the folder has a library for the board."""
    if any(_has_library(path, board) for path in model_files([folder])):
        kinds = [kind for kind in ENGINES.values() if kind.companions]
        found["engines"] += [{"engine": kind.name, "version": "", "state": "works"} for kind in kinds]
    return found


def _has_library(model: Path, board: Board) -> bool:
    return available(model, board.system.library)


def on(board: Board, *words: object) -> "subprocess.CompletedProcess[str]":
    """Run a board's Python.

    Raises:
        EdgecnnError: what it ran was killed or wants other input.
    """
    return run_program(python_of(board), *words, fine=(OK, GATE_FAILED))


def trials(board: Board, found: dict[str, Any], folder: Path, count: bool = True) -> list[Trial]:
    """Try every model of a folder on every engine that `doctor` found working on a board, where it is here too."""
    files = [read_model(path) for path in model_files([folder])]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        data = read_answered(folder / "evaluation.npz", files[0].manifest)
        sample, golden = Path(scratch) / "sample.npz", _golden(data, folder, Path(scratch) / "models")
        data.take(slice(IMAGES)).save(sample)
        for finding in found["engines"]:
            name = finding["engine"]
            able = [each for each in files if name in engines_of(each.path, each.manifest.format)]
            if ENGINES[name].companions:
                able = [each for each in able if _has_library(each.path, board)]
            if finding["state"] != "works" or not able:
                continue
            words = ("-m", "edgecnn", "golden", golden, "--engine", name, "--json")
            compared = {each["model"]: each for each in json.loads(on(board, *words).stdout)}
            counts = instructions(board, name, able) if count else {}
            for model in able:
                file = model.path.name
                worst, steps = compared[file]["worst"], compared[file]["steps"]
                judging = ("-m", "edgecnn", "check", model.path, sample, "--engine", name, "--json")
                report = json.loads(on(board, *judging).stdout)
                correct = round(report["accuracy"] * report["images"])
                told = (finding["version"], file, report["images"], correct, worst, steps, report["verdict"])
                counted, plain = counts.get(file), counts.get(_plain(model, able))
                share = counted / plain if counted and plain and model.manifest.rewrites else None
                rows.append(Trial(board.name, name, *told, counted, share))
    return rows


def _plain(model: ModelFile, among: Sequence[ModelFile]) -> str:
    """The file of the conversion without rewrites that is like a model otherwise."""
    kind = (model.manifest.quantization, model.manifest.weights_sha256)
    alike = [each for each in among if (each.manifest.quantization, each.manifest.weights_sha256) == kind]
    return next((each.path.name for each in alike if not each.manifest.rewrites), "")


def instructions(board: Board, engine: str, models: Sequence[ModelFile]) -> dict[str, int]:
    """How many instructions the emulated CPU executes for one call of an engine, by the model's file name."""
    with tempfile.TemporaryDirectory() as scratch:
        counts = Path(scratch) / "counts"
        words = (_COUNTED, engine, _CALLS, *(model.path for model in models))
        run_program(python_of(board), *words, env=os.environ | {"QEMU_PLUGIN": f"{HOME / PLUGIN},out={counts}"})
        marks = [int(line) for line in counts.read_text().split()]
    spans = zip(marks[::2], marks[1::2], strict=True)
    return {model.path.name: (end - begin) // _CALLS for model, (begin, end) in zip(models, spans, strict=True)}


def _golden(data: Dataset, models: Path, folder: Path) -> Path:
    """A folder with the models, what lies beside them, and their answers on this machine."""
    shutil.copytree(models, folder, symlinks=True)
    write_file(folder / FILE, make(model_files([models]), data.images[:COMPARED]))
    return folder


if __name__ == "__main__":
    sys.exit(main())
