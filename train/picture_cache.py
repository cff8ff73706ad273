"""Pictures are decoded once: the cache holds the pixels, in the order of the splits, and what is known of them.

A folder's entry has a key of its pictures' names, sizes and times, and of the code that decodes: an entry with another
key is written anew. The pixels are mapped into memory and not read: ten thousand photographs take what is free of it.
"""

import contextlib
import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL

from edgecnn import decoding, images, png_rows, raw_rows, shrinking
from edgecnn.errors import EdgecnnError
from edgecnn.file_lock import locked
from edgecnn.files import sha256, write_file
from train.cache import cache_folder, check_room, forget, new_entry
from train.layouts import Listing

_PATIENCE = 6 * 3600.0  # seconds that another training may take to read the same pictures
_CODE = (decoding, images, png_rows, raw_rows, shrinking)
_IMAGES, _INDEX, _FACTS = "images.npy", "index.npz", "facts.json"


@dataclass(frozen=True)
class Pictures:
    """Pictures that are decoded, in the order of their splits."""

    images: npt.NDArray[np.uint8]  # (n, height, width, channels)
    labels: npt.NDArray[np.int64]  # (n,)
    splits: npt.NDArray[np.int64]  # (n,): places in `train.layouts.SPLITS`, ascending
    groups: npt.NDArray[np.intp]  # (n,): near-duplicates have the same number
    names: npt.NDArray[np.str_]  # (n,)
    unread: dict[str, str]  # files that cannot be read, and why


def cached(
    listing: Listing, shape: tuple[int, int, int], decode: Callable[[Path], Pictures], folder: Path | None = None
) -> Pictures:
    """The pictures of a folder from the cache, where `decode` puts them if they are not there.

    Args:
        listing: the pictures.
        shape: height, width and channels to which they are decoded.
        decode: decodes them, with a folder to write in.
        folder: the cache (default: the user's).

    Raises:
        EdgecnnError: as `decode`; the cache cannot be written, or has no room.
    """
    folder = folder or cache_folder("pictures")
    entry = folder / sha256(json.dumps([str(listing.root.resolve()), shape]).encode())[:16]
    key = _key(listing)
    with locked(entry, _PATIENCE):
        if (pictures := _load(entry, key)) is None:
            size = 2 * len(listing.files) * int(np.prod(shape))  # for a moment the pixels are there twice
            check_room(folder, size, "make --image-size smaller")
            pictures = _renewed(entry, key, decode)
        entry.touch()
    forget(folder, entry)
    return pictures


def _key(listing: Listing) -> str:
    """SHA-256 of what determines the pixels; the time of a change tells also that a file may be read now."""
    stats = [path.stat() if path.exists() else None for path in listing.files]
    files = [
        (listing.name_of(path), stat and (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns), label, split)
        for path, stat, label, split in zip(
            listing.files, stats, listing.labels.tolist(), listing.splits.tolist(), strict=True
        )
    ]
    code = [sha256(Path(str(module.__file__)).read_bytes()) for module in _CODE]
    return sha256(json.dumps([files, listing.classes, code, PIL.__version__]).encode())


def _renewed(entry: Path, key: str, decode: Callable[[Path], Pictures]) -> Pictures:
    """Write an entry, and read it."""
    with new_entry(entry) as part:
        _save(part, key, decode(part))
    pictures = _load(entry, key)
    if pictures is None:
        raise EdgecnnError(f"{entry} cannot be read again: set XDG_CACHE_HOME to a folder of another disk")
    return pictures


def _save(part: Path, key: str, pictures: Pictures) -> None:
    order = np.argsort(pictures.splits, kind="stable")
    mapped = new_array(part / _IMAGES, pictures.images.shape)
    for start in range(0, len(order), 1000):
        mapped[start : start + 1000] = pictures.images[order[start : start + 1000]]
    arrays = {name: getattr(pictures, name)[order] for name in ("labels", "splits", "groups", "names")}
    np.savez(part / _INDEX, **arrays)
    write_file(part / _FACTS, json.dumps({"key": key, "unread": pictures.unread}).encode())


def new_array(path: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """A uint8 array in a new file, mapped into memory."""
    mapped: npt.NDArray[np.uint8] = np.lib.format.open_memmap(path, "w+", np.uint8, shape)  # type: ignore[no-untyped-call]
    return mapped


def _load(entry: Path, key: str) -> Pictures | None:
    """The pictures of an entry; None if there are none of this key, or they are damaged."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error):
        facts = json.loads((entry / _FACTS).read_bytes())
        if facts["key"] == key:
            mapped = np.asarray(np.load(entry / _IMAGES, mmap_mode="r"))
            with np.load(entry / _INDEX) as index:
                return Pictures(mapped, **{name: index[name] for name in index.files}, unread=facts["unread"])
    return None
