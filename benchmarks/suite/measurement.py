"""The rows of a network: every engine with every number of threads, in turns."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.elf import code_bytes
from benchmarks.library import library_of
from benchmarks.suite.build import OURS, Files
from benchmarks.suite.timed_engine import TimedEngine, Turn
from benchmarks.turns import in_turns, ratio
from edgecnn.child_process import ChildProcess, DiedError
from edgecnn.command import progress
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError

BASELINE = "litert"  # that ratios are to
Interval = tuple[float, float, float]  # a ratio, the lower and the upper end of its 95 % interval
TimedEngines = dict[str, "ChildProcess[TimedEngine]"]


@dataclass(frozen=True)
class EngineFigures:
    """An engine with a number of threads; if it does not run the network, only the reason."""

    engine: str
    threads: int
    call_us: float | None = None
    predict_us: float | None = None
    call_ratio: Interval | None = None  # to the baseline with as many threads
    predict_ratio: Interval | None = None
    arena_bytes: int | None = None  # of native
    code_bytes: int | None = None  # of native
    reason: str = ""
    older: bool = False  # as on a CPU with AVX2 and nothing newer


def measured(
    files: Files,
    engines: Sequence[str],
    threads: int,
    cores: Sequence[int],
    turns: int,
    seconds: float,
    older: bool = False,
) -> list[EngineFigures]:
    """Time engines in turns.

    Args:
        files: of the network.
        engines: their names.
        threads: for one inference.
        cores: to pin them to, as many as there are threads or more.
        turns: how many each takes.
        seconds: of a turn, for each kind of call.
        older: whether the engines shall see a CPU with AVX2 and nothing newer.
    """
    reasons: dict[str, str] = {}
    engines = [engine for engine in engines if threads <= ENGINES[engine].most_threads]
    with _started(files, engines, threads, cores[:threads], reasons, older) as loaded:
        timed = in_turns(loaded, turns, TimedEngine.turn, seconds)
    rows = [
        _row(files, engine, threads, timed[engine], timed.get(BASELINE, []))
        if engine in timed
        else EngineFigures(engine, threads, reason=reasons[engine])
        for engine in engines
    ]
    return [replace(row, older=older) for row in rows]


@contextlib.contextmanager
def _started(
    files: Files, engines: Sequence[str], threads: int, cores: Sequence[int], reasons: dict[str, str], older: bool
) -> Iterator[TimedEngines]:
    """The engines in their processes; of an engine that does not run the network, the reason goes to `reasons`."""
    loaded: TimedEngines = {}
    with contextlib.ExitStack() as processes:
        for engine in engines:
            progress(f"starting {engine}")
            try:
                process = ChildProcess(TimedEngine, _model(files, engine), engine, threads, cores, older)
                processes.callback(process.close)
                process.call(TimedEngine.turn, 0.0)
            except (EdgecnnError, DiedError) as error:
                reasons[engine] = str(error)
            else:
                loaded[engine] = process
        yield loaded


def _model(files: Files, engine: str) -> Path:
    """The file that an engine runs.

    Raises:
        EdgecnnError: there is none for it.
    """
    if engine == OURS and files.refusal:
        raise EdgecnnError(files.refusal)
    if engine == OURS or ENGINES[engine].format == "tflite":
        return files.tflite
    if files.onnx is None:
        raise EdgecnnError("the network has no int8 ONNX")
    return files.onnx


def _row(files: Files, engine: str, threads: int, turns: Sequence[Turn], baseline: Sequence[Turn]) -> EngineFigures:
    (calls, predicts), (others, other_predicts) = _figures(turns), _figures(baseline)
    library = library_of(files.tflite) if engine == OURS else None
    return EngineFigures(
        engine=engine,
        threads=threads,
        call_us=float(np.median(calls)),
        predict_us=float(np.median(predicts)),
        call_ratio=ratio(calls, others) if baseline else None,
        predict_ratio=ratio(predicts, other_predicts) if baseline else None,
        arena_bytes=library.arena if library else None,
        code_bytes=code_bytes(library.path.read_bytes()) if library else None,
    )


def _figures(turns: Sequence[Turn]) -> tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", ...]:
    """Microseconds of the calls and of `predict`, each (turns,)."""
    return np.array([turn.call_us for turn in turns]), np.array([turn.predict_us for turn in turns])
