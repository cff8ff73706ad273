"""A ZIP file of class folders is unpacked once, into the user's cache, and then read as a folder is."""

import os
import zipfile
import zlib
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.file_lock import locked
from edgecnn.files import sha256
from edgecnn.image_folders import split_folders
from edgecnn.images import SUFFIXES
from train.cache import cache_folder, check_room, forget, new_entry

_PATIENCE = 3600.0  # seconds that another training may take to unpack the same file


def unpacked(path: Path) -> Path:
    """The folder with the pictures of a ZIP file; a single folder in it that has the file's name is gone into.

    Raises:
        EdgecnnError: it is no ZIP file, damaged or encrypted, holds no pictures, or more than there is room for.
    """
    status = path.stat()
    key = sha256(f"{os.fsencode(path.resolve())!r} {status.st_size} {status.st_mtime_ns}".encode())[:16]
    folder = cache_folder("unpacked")
    entry = folder / key
    with locked(entry, _PATIENCE):
        if not entry.exists():
            _unpack(path, entry)
        entry.touch()
    forget(folder, entry)
    (first, *others) = sorted(entry.iterdir())
    return entry if others or first.name != path.stem or split_folders(entry) else first


def _unpack(path: Path, entry: Path) -> None:
    """Unpack the pictures: all of them, or nothing."""
    try:
        with new_entry(entry) as part, zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if Path(member.filename).suffix.lower() in SUFFIXES]
            if not members:
                raise EdgecnnError(f"{path} holds no images: name a ZIP file of class folders")
            check_room(entry.parent, sum(member.file_size for member in members), "unpack it elsewhere")
            for member in members:
                archive.extract(member, part)  # in `part`, whatever its path is, and no longer than it says
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError) as error:
        raise EdgecnnError(f"{path} cannot be unpacked ({error}): unpack it yourself, and name the folder") from None
