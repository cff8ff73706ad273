"""Streams of images to classify: a folder that fills, raw frames on stdin; for videos and cameras see edgecnn.video.

A stream is an iterator of frames: a name, and the pixels for the model or the reason why there are none.
"""

import contextlib
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError, NoCharacterError
from edgecnn.images import SUFFIXES, fit_image, read_image
from edgecnn.manifest import Input
from edgecnn.raw_picture import Layout, RawPicture

POLL = 0.2  # seconds between two looks into a folder

_IDLE, _BUSY = 200, 10  # pause between two looks, in times that a look takes: at an unchanged folder, a changed one
_SUFFIXES = tuple(sorted(SUFFIXES))
_Version = tuple[int, int]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Frame:
    """One image of a stream, in the model's shape; or without pixels, and why: no error means no character."""

    name: str
    pixels: npt.NDArray[np.uint8] | None
    seconds: float  # to decode the pixels; without the waiting
    error: str = ""
    raw: bool = False  # the pixels came as the model takes them
    picture: RawPicture | None = None  # what the pixels were made from, of a camera, a video or stdin
    dropped: int = 0  # frames of a camera between the last one and this one


def folder_frames(folder: Path, wanted: Input, new_only: bool = False) -> Iterator[Frame]:
    """The images in a folder, the oldest first, then every image that is added or rewritten; never ends.

    A file counts if two looks saw the same version of it, so that one still being written is left alone. Names that
    begin with a dot do not count. With `new_only`, nor do the images that are there at the beginning.
    """
    watched = _WatchedFolder(folder)
    done = watched.look() or {} if new_only else {}
    waiting: dict[str, _Version] = {}
    while True:
        images = watched.look()
        if images is not None:
            done = {name: version for name, version in done.items() if name in images}
        fresh = _versions((name, folder / name) for name in waiting) if images is None else images
        fresh = {name: version for name, version in fresh.items() if version != done.get(name)}
        ready = [name for name, version in fresh.items() if version == waiting.get(name)]
        for name in sorted(ready, key=lambda name: (fresh[name], name)):
            yield frame_of(name, read_image, folder / name, wanted)
            done[name] = fresh.pop(name)
        waiting = fresh
        if not ready:
            time.sleep(POLL)


class _WatchedFolder:
    """A folder that is listed only when it pays: with thousands of images a listing takes a while.

    It pays soon after the folder has changed. An image that is rewritten in its place does not change the folder: so
    it is listed now and then all the same, and always where this takes next to no time.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._changed = path, 0
        self._looked, self._cost = -math.inf, 0.0  # seconds

    def look(self) -> dict[str, _Version] | None:
        """All images, if it pays to list them now; else None."""
        changed = _checked(self._path, os.stat).st_mtime_ns
        pause = _BUSY if changed != self._changed else _IDLE
        if time.perf_counter() - self._looked < pause * self._cost:
            return None
        start = time.perf_counter()
        images = _images(self._path)
        self._looked = time.perf_counter()
        self._changed, self._cost = changed, self._looked - start
        return images


def _images(folder: Path) -> dict[str, _Version]:
    """The images of a folder by name: when they were written, in nanoseconds, and their size."""
    with _checked(folder, os.scandir) as entries:
        return _versions((entry.name, entry) for entry in entries if _is_image(entry.name))


def _is_image(name: str) -> bool:
    """Whether a name is that of an image, by its suffix; a name that begins with a dot is hidden."""
    return name.lower().endswith(_SUFFIXES) and not name.startswith(".")


def _versions(files: Iterable[tuple[str, Path | os.DirEntry[str]]]) -> dict[str, _Version]:
    """The versions of files by name, without files that are gone."""
    versions = {}
    for name, file in files:
        with contextlib.suppress(FileNotFoundError):  # it was removed meanwhile
            stat = file.stat()
            versions[name] = (stat.st_mtime_ns, stat.st_size)
    return versions


def _checked(folder: Path, look: Callable[[Path], _T]) -> _T:
    try:
        return look(folder)
    except OSError as error:
        raise EdgecnnError(f"{folder} cannot be read: {error.strerror}") from None


def awaited(folder: Path, new_only: bool) -> str | None:
    """What a stream of a folder's images waits for, in words; None if there are images to begin with."""
    with _checked(folder, os.scandir) as entries:
        kinds = [(entry.name, entry.is_dir()) for entry in entries]
    images = sum(_is_image(name) and not is_dir for name, is_dir in kinds)
    folders = sorted(name for name, is_dir in kinds if is_dir and not name.startswith("."))
    if images and not new_only:
        return None
    beside = f" beside the {images:,} that are there" if images else ""
    inside = f"; folders in it are not searched ({bounds.short(folders)}): name one of them" if folders else ""
    return f"waiting for pictures ({' '.join(_SUFFIXES)}) in {folder}{beside}{inside}"


def raw_frames(stream: BinaryIO, wanted: Input, layout: Layout | None = None) -> Iterator[Frame]:
    """Raw frames, uint8, one after the other.

    Args:
        stream: the bytes of the frames.
        wanted: the model's input.
        layout: of the frames; without it they are as the model takes them, and stay so.

    Raises:
        EdgecnnError: the stream ends within a frame.
    """
    form = layout or model_layout(wanted)
    number = 0
    while octets := stream.read(form.size):
        if len(octets) < form.size:
            shape = f"{form.width}x{form.height}, {form.pixels}, {form.size:,} bytes"
            raise EdgecnnError(f"stdin ended within a frame: a frame is {shape} (--size, --pixels, --stride)")
        picture = RawPicture(np.frombuffer(octets, np.uint8), form)
        if layout is None:
            yield Frame(str(number), picture.octets.reshape(wanted.shape), 0.0, raw=True, picture=picture)
        else:
            yield fitted_frame(str(number), picture, wanted)
        number += 1


def model_layout(wanted: Input) -> Layout:
    """The layout of a raw frame that is as the model takes it."""
    height, width, channels = wanted.shape
    return Layout("grey" if channels == 1 else "rgb", width, height)


def frame_of(name: str, decode: Callable[..., npt.NDArray[np.uint8]], *arguments: object) -> Frame:
    """The frame of the pixels that `decode(*arguments)` returns; without pixels where it raises an EdgecnnError."""
    start = time.perf_counter()
    try:
        pixels = decode(*arguments)
    except NoCharacterError:
        return Frame(name, None, time.perf_counter() - start)
    except EdgecnnError as error:
        return Frame(name, None, time.perf_counter() - start, str(error))
    return Frame(name, pixels, time.perf_counter() - start)


def fitted_frame(name: str, picture: RawPicture, wanted: Input, dropped: int = 0) -> Frame:
    """The frame of a camera's picture, for a model with this input."""

    def fitted() -> npt.NDArray[np.uint8]:
        return fit_image(picture.channels(wanted.shape[2]), wanted, f"frame {name}")

    return replace(frame_of(name, fitted), picture=picture, dropped=dropped)
