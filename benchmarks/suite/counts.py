"""The instructions of one call of a network on emulated boards."""

from collections.abc import Sequence

from benchmarks.instructions import instructions
from benchmarks.suite.build import OURS, Files
from edgecnn.command import progress
from edgecnn.modelfile import read_model
from workstation.boards import Board

ENGINES = (OURS, "litert")  # that are counted


def counted(files: Files, boards: Sequence[Board]) -> dict[str, dict[str, int]]:
    """Instructions by board and engine, on boards that are built.

    Without `native` if C refuses the network, without LiteRT on a board for which it has no wheel.
    """
    model = read_model(files.tflite)
    counts: dict[str, dict[str, int]] = {}
    for board in boards:
        engines = [name for name in ENGINES if _runs(name, board, files)]
        for engine in engines:
            progress(f"counting {engine} on {board.name}")
            counts.setdefault(board.name, {})[engine] = instructions(board, engine, [model])[model.path.name]
    progress("")
    return counts


def _runs(engine: str, board: Board, files: Files) -> bool:
    return not files.refusal if engine == OURS else board.system.architecture != "armhf"
