"""Streams of images to classify: a folder that fills, raw frames on stdin; for videos and cameras see edgecnn.video.

Each is an iterator of frames: a name, and the pixels that the model takes or the reason why there are none.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.images import SUFFIXES, fit_image, read_image
from edgecnn.manifest import Input

POLL = 0.2  # seconds between two looks into a folder

_IDLE, _BUSY = 200, 10  # times what a look costs, until the next: into a folder that has not changed, and that has
_SUFFIXES = tuple(sorted(SUFFIXES))
_Version = tuple[int, int]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Frame:
    """One image of a stream, as the model takes it; or without pixels, and why."""

    name: str
    pixels: npt.NDArray[np.uint8] | None
    seconds: float  # that it took to get from what came to the pixels; waiting is not counted
    error: str = ""


def folder_frames(folder: Path, wanted: Input, new_only: bool = False) -> Iterator[Frame]:
    """The images in a folder, the oldest first, then each that is put there or written anew; never ends.

    A file counts when it has stayed the same between two looks, so that one still being written is left alone. Names
    that begin with a dot do not count. With `new_only`, nor do the images that are there at the beginning.
    """
    place = _Folder(folder)
    done = place.images() or {} if new_only else {}
    waiting: dict[str, _Version] = {}
    while True:
        found = place.images()
        if found is not None:
            done = {name: version for name, version in done.items() if name in found}
        fresh = _versions((name, folder / name) for name in waiting) if found is None else found
        fresh = {name: version for name, version in fresh.items() if version != done.get(name)}
        ready = [name for name, version in fresh.items() if version == waiting.get(name)]
        for name in sorted(ready, key=lambda name: (fresh[name], name)):
            yield frame_of(name, read_image, folder / name, wanted)
            done[name] = fresh.pop(name)
        waiting = fresh
        if not ready:
            time.sleep(POLL)


class _Folder:
    """A folder, and when it is worth a look at all that lies there: with thousands of images that takes a while.

    It is when the folder has changed. An image that is written anew in its place does not change it: for these there is
    a look now and then, always where it takes next to no time.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._changed = path, 0
        self._looked, self._cost = -math.inf, 0.0  # seconds

    def images(self) -> dict[str, _Version] | None:
        """All images; None where it is not worth a look."""
        changed = _or_told(self._path, os.stat).st_mtime_ns
        pause = _BUSY if changed != self._changed else _IDLE
        if time.perf_counter() - self._looked < pause * self._cost:
            return None
        start = time.perf_counter()
        images = _images(self._path)
        self._looked = time.perf_counter()
        self._changed, self._cost = changed, self._looked - start
        return images


def _images(folder: Path) -> dict[str, _Version]:
    """By name, when each image was written, in nanoseconds, and its size."""
    with _or_told(folder, os.scandir) as entries:
        return _versions((entry.name, entry) for entry in entries if _is_image(entry.name))


def _is_image(name: str) -> bool:
    """Whether a file of that name is taken for an image: by its suffix; what begins with a dot is hidden."""
    return name.lower().endswith(_SUFFIXES) and not name.startswith(".")


def _versions(files: Iterable[tuple[str, Path | os.DirEntry[str]]]) -> dict[str, _Version]:
    """By name, of those files that are there."""
    versions = {}
    for name, file in files:
        with contextlib.suppress(FileNotFoundError):  # it was taken away meanwhile
            stat = file.stat()
            versions[name] = (stat.st_mtime_ns, stat.st_size)
    return versions


def _or_told(folder: Path, look: Callable[[Path], _T]) -> _T:
    try:
        return look(folder)
    except OSError as error:
        raise EdgecnnError(f"{folder} cannot be read: {error.strerror}") from None


def awaited(folder: Path, new_only: bool) -> str | None:
    """What a stream of a folder's images waits for, in words; None where there are some to begin with."""
    with _or_told(folder, os.scandir) as entries:
        kinds = [(entry.name, entry.is_dir()) for entry in entries]
    images = sum(_is_image(name) and not is_dir for name, is_dir in kinds)
    folders = sorted(name for name, is_dir in kinds if is_dir and not name.startswith("."))
    if images and not new_only:
        return None
    beside = f" beside the {images:,} that are there" if images else ""
    inside = f"; the folders in it are not looked into ({bounds.short(folders)}): name one of them" if folders else ""
    return f"waiting for pictures ({' '.join(_SUFFIXES)}) in {folder}{beside}{inside}"


def raw_frames(stream: BinaryIO, wanted: Input, size: tuple[int, int] | None) -> Iterator[Frame]:
    """Raw frames, uint8, one after the other: grey for a model with one channel, else red, green, blue.

    Args:
        stream: where they come from.
        wanted: the model's input.
        size: width and height; without it the frames are of the model's own size and taken as they are.

    Raises:
        EdgecnnError: the stream ends within a frame.
    """
    height, width, channels = wanted.shape if size is None else (size[1], size[0], wanted.shape[2])
    shape = (height, width, channels)
    number = 0
    while data := stream.read(height * width * channels):
        if len(data) < height * width * channels:
            raise EdgecnnError(f"stdin ended within a frame: a frame is {width}x{height}x{channels} bytes (--size)")
        pixels = np.frombuffer(data, np.uint8).reshape(shape)
        if size is None:
            yield Frame(str(number), pixels, 0.0)
        else:
            yield frame_of(str(number), fit_image, pixels[..., 0] if channels == 1 else pixels, wanted)
        number += 1


def frame_of(name: str, get: Callable[..., npt.NDArray[np.uint8]], *arguments: object) -> Frame:
    """The frame of the pixels that `get` gives of its arguments, or why it gives none."""
    start = time.perf_counter()
    try:
        pixels = get(*arguments)
    except EdgecnnError as error:
        return Frame(name, None, time.perf_counter() - start, str(error))
    return Frame(name, pixels, time.perf_counter() - start)
