"""The user's cache: what is there may go at any time, and is written again."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pooch

from edgecnn.errors import EdgecnnError
from edgecnn.file_lock import locked

MOST = 20 * 2**30  # bytes of all entries of a folder: the oldest go


def cache_folder(kind: str) -> Path:
    """The folder of a kind of entries."""
    return Path(pooch.os_cache("edgecnn")) / kind


@contextlib.contextmanager
def new_entry(entry: Path) -> Iterator[Path]:
    """A folder to fill, which then becomes the entry: it is whole, or not there. The caller has locked the entry."""
    part = entry.with_name(f".{entry.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of one that was killed
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(entry, ignore_errors=True)
        part.replace(entry)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def check_room(folder: Path, size: int, cure: str) -> None:
    """Refuse to fill the disk.

    Args:
        folder: where to write.
        size: bytes that are needed.
        cure: what else helps.

    Raises:
        EdgecnnError: it has too little room.
    """
    free = shutil.disk_usage(folder).free
    if size > free:
        raise EdgecnnError(
            f"{folder} has room for {free / 1e9:.1f} GB, and {size / 1e9:.1f} are needed: {cure}, or set XDG_CACHE_HOME"
            " to a folder with more room"
        )


def forget(folder: Path, kept: Path) -> None:
    """Remove the entries that were used least lately, as long as all together are too large."""
    entries = sorted((path for path in folder.glob("[!.]*") if path != kept), key=lambda path: path.stat().st_mtime)
    sizes = {path: sum(file.stat().st_size for file in path.rglob("*")) for path in (kept, *entries)}
    for path in entries:
        if sum(sizes.values()) <= MOST:
            break
        with contextlib.suppress(EdgecnnError), locked(path, 0):
            shutil.rmtree(path, ignore_errors=True)
            sizes.pop(path)
