"""Try the wheel on emulated boards: its answers beside those of this machine, and the instructions of an inference.

On each board, for each engine that works there and each model that it runs: `edgecnn check` on 200 test images; the
probabilities of 64 of them, plain and blended with noise, since plain ones saturate the softmax; and the thousands of
instructions of the engine's call, with the ratio to the plain conversion if the folder holds one (`--forms all` writes
it). The engine `native` takes part if `python -m convert.c --build` left libraries. An int8 model may differ by one
step of its output, a float one by 1e-5. Seconds would mean nothing. Missing boards are built (see benchmarks.boards).

Examples:
  python -m benchmarks.arm
  python -m benchmarks.arm artifacts/mnist --boards pi4,pi5 --json
"""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.board_trials import Trial, doctor, trials, with_native
from benchmarks.boards import build
from benchmarks.provenance import provenance
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, progress, table
from edgecnn.errors import EdgecnnError
from edgecnn.modelfile import newest_model
from workstation.boards import EMULATED, Board

HEAD = ("board", "engine", "version", "model", "right", "off by at most", "verdict", "k instr.", "of plain")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.arm`: `GATE_FAILED` if a board's answers differ."""
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
        diagnoses = list(map(with_native, boards, pool.map(doctor, boards), repeat(folder)))
        rows = [row for of_board in pool.map(trials, boards, diagnoses, repeat(folder)) for row in of_board]
    progress("")
    if options.json:
        summaries = list(map(_summary, boards, diagnoses))
        tried = [asdict(row) | {"passed": row.passed} for row in rows]
        print_json({"boards": summaries, "trials": tried} | provenance())
    else:
        print(table(HEAD, map(cells, rows)))
    return OK if all(row.passed for row in rows) else GATE_FAILED


def _board(name: str) -> Board:
    if name not in EMULATED:
        raise EdgecnnError(f"there is no board {name!r}: choose {', '.join(EMULATED)}")
    return EMULATED[name]


def _summary(board: Board, diagnosis: dict[str, Any]) -> dict[str, Any]:
    """The part of a diagnosis that is the board's and not this machine's."""
    device = diagnosis["device"]
    return {
        "name": board.name,
        "system": device["system"].split(",")[0],
        "python": device["python"],
        "machine": device["machine"],
        "engines": [{key: engine[key] for key in ("engine", "version", "state")} for engine in diagnosis["engines"]],
    }


def cells(row: Trial) -> tuple[str, ...]:
    """A trial as people read it, under `HEAD`."""
    worst = f"{row.worst:.0f} steps" if row.steps else f"{row.worst:.0e}"
    right, verdict = f"{row.correct} of {row.images}", "PASS" if row.passed else "FAIL"
    count = f"{row.instructions / 1000:,.0f}" if row.instructions else ""
    counted = (count, f"{row.of_plain:.3f}" if row.of_plain else "")
    return (row.board, row.engine, row.version, row.model, right, worst, verdict, *counted)


if __name__ == "__main__":
    sys.exit(main())
