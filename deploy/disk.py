"""Write files and links so that they are on the disk, whole, before anything relies on them."""

# Python 3.7 reads this too, to say that it is too old.
import os
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write a file, whole and on the disk, or not at all."""
    beside = path.with_name(".{}.new".format(path.name))
    beside.write_text(text)
    _sync(str(beside))
    os.replace(str(beside), str(path))
    _sync(str(path.parent))


def link(path: Path, target: str) -> None:
    """Make `path` a link to `target`, by one rename."""
    beside = path.with_name("." + path.name)
    if beside.is_symlink():
        beside.unlink()
    beside.symlink_to(target)
    os.replace(str(beside), str(path))
    _sync(str(path.parent))


def sync_folder(folder: Path) -> None:
    """Bring a folder and all in it to the disk: the mark that it is complete must not outlive its files.

    The first pass writes everything at once; the second one only hears the errors, file by file.
    """
    os.sync()
    for place, _, names in os.walk(str(folder)):
        for name in [".", *names]:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                _sync(path)
    _sync(str(folder.parent))


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
