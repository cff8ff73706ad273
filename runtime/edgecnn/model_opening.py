"""Opens a model file in a child process before this one does: an engine trusts a file that may come from anybody.

The child has a bound on time and memory, and runs the model once, on zeros. If that goes well, the model's hash is
noted for this user and the next opening skips the child; if no note can be written, every opening has one. The model
inside this package needs none, nor does an engine whose row of `ENGINES` says so.
"""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn import SHIPPED, SMALL
from edgecnn.classifier import Classifier
from edgecnn.command import quiet
from edgecnn.engines import ENGINES, engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.file_lock import locked
from edgecnn.files import read_file, write_file
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.seal import SEAL

if TYPE_CHECKING:
    from edgecnn.child_process import Limits

_SECONDS = 60.0  # a large network on a small board opens in a few
_MEGABYTES, _TIMES = 384, 12  # for the engine; for each megabyte of the file: copies, packed weights, activations
_KEPT = 1000  # hashes
_PATIENCE = 5.0  # seconds for the lock of the notes: without a note, the model is tried again


def open_model(
    path: Path, engine: str = "auto", threads: int | None = None, threshold: float | None = None
) -> Classifier:
    """A `Classifier` of a file or folder, as the commands open it: first in a child process.

    Args:
        path: as that of `Classifier`.
        engine: as that of `Classifier`.
        threads: as that of `Classifier`.
        threshold: answers less probable are `unknown`; by default the manifest's.

    Raises:
        EdgecnnError: as `Classifier` does; or the file killed the child process, or took too much time or memory.
    """
    if path.is_dir():
        from edgecnn.selection import choose

        path, engine, threads = choose(path, engine, threads)
    model = read_model(path)
    try_in_child(model, engine)
    with quiet():  # engines greet on stderr
        classifier = Classifier.of(model, engine, 1 if threads is None else threads)
    if threshold is not None:
        classifier.threshold = threshold
    return classifier


def try_in_child(model: ModelFile, engine: str) -> None:
    """Open a model in a child process, unless a note says that this goes well.

    Raises:
        EdgecnnError: the file killed the child, or took too much time or memory; or the engine cannot run it.
    """
    kind = ENGINES.get(engine)
    if (kind and not kind.tried_in_child) or model.path.absolute() in (SHIPPED, SMALL):
        return
    names = engines_for(model.manifest.format, str(model.path)) if engine == "auto" else [engine]
    entry = f"{model.data[-SEAL:].decode()} {' '.join(names)}"
    notes = _notes()
    if entry in _read(notes):
        return
    from edgecnn.child_process import DiedError, in_child  # multiprocessing takes longer to import than an inference

    try:
        in_child(_run, model, engine, limits=limits(model.data))
    except (DiedError, MemoryError) as death:
        how = f"more than {limits(model.data).megabytes:,} MB of memory" if isinstance(death, MemoryError) else death
        raise EdgecnnError(
            f"{model.path} is not opened: a process that opened it first ended ({how}); it is damaged or hostile, or"
            " needs another engine (--engine)"
        ) from None
    _note(notes, entry)


def limits(data: bytes) -> "Limits":
    """The bounds of a process that opens a model file."""
    from edgecnn.child_process import Limits

    return Limits(_SECONDS, _MEGABYTES + _TIMES * len(data) // 1_000_000)


def _run(model: ModelFile, engine: str) -> None:
    """In the child: one inference."""
    with quiet():
        Classifier.of(model, engine).invoke()


def _notes() -> Path:
    """The file of the notes: of this user, on this machine."""
    try:
        state = Path(
            os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA") or "~/.local/state"
        ).expanduser()
    except RuntimeError:  # there is no home
        state = Path(os.devnull)
    if not state.is_absolute():  # notes in the working folder may have come with the model
        state = Path(os.devnull)
    return state / "edgecnn" / "opened"


def _read(notes: Path) -> list[str]:
    try:
        return read_file(notes, 2**20).decode("ascii", "replace").splitlines()
    except EdgecnnError:
        return []


def _note(notes: Path, entry: str) -> None:
    with contextlib.suppress(OSError, EdgecnnError), locked(notes, _PATIENCE):
        lines = list(dict.fromkeys([*_read(notes), entry]))  # another process may have noted it meanwhile
        write_file(notes, "".join(f"{line}\n" for line in lines[-_KEPT:]).encode("ascii", "replace"))
