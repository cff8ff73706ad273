"""Streams of images to classify: a folder that fills, a video or camera, raw frames on stdin.

Each is an iterator of frames: a name, and the pixels that the model takes or the reason why there are none.
"""

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from edgecnn.device import install
from edgecnn.errors import EdgecnnError
from edgecnn.images import SUFFIXES, fit_image, read_image
from edgecnn.manifest import Input

POLL = 0.2  # seconds between two looks into a folder

_CAMERA = "/dev/video"
_Version = tuple[int, int]


@dataclass(frozen=True)
class Frame:
    """One image of a stream, as the model takes it; or without pixels, and why."""

    name: str
    pixels: npt.NDArray[np.uint8] | None
    seconds: float  # that it took to get from what came to the pixels; waiting is not counted
    error: str = ""


def folder_frames(folder: Path, wanted: Input) -> Iterator[Frame]:
    """The images in a folder, the oldest first, then each that is put there or written anew; never ends.

    A file counts when it has stayed the same between two looks, so that one still being written is left alone.
    """
    done: dict[str, _Version] = {}
    before: dict[str, _Version] = {}
    while True:
        found = _images(folder)
        ready = [name for name, version in found.items() if version == before.get(name) != done.get(name)]
        for name in sorted(ready, key=lambda name: (found[name], name)):
            yield _framed(name, read_image, folder / name, wanted)
        done = {
            name: version for name, version in (done | {each: found[each] for each in ready}).items() if name in found
        }
        before = found
        if not ready:
            time.sleep(POLL)


def _images(folder: Path) -> dict[str, _Version]:
    """By name, when each image was written, in nanoseconds, and its size."""
    found = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if Path(entry.name).suffix.lower() in SUFFIXES:
                    with contextlib.suppress(FileNotFoundError):  # it was taken away meanwhile
                        stat = entry.stat()
                        found[entry.name] = (stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise EdgecnnError(f"{folder} cannot be read: {error.strerror}") from None
    return found


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
            yield _framed(str(number), fit_image, pixels[..., 0] if channels == 1 else pixels, wanted)
        number += 1


def is_camera(source: str) -> bool:
    """Whether a source is a camera's number or device."""
    return source.removeprefix(_CAMERA).isdecimal()


def video_frames(source: str, wanted: Input) -> Iterator[Frame]:
    """The frames of a video file, or of a camera by its number or device; a camera never ends.

    Raises:
        EdgecnnError: OpenCV is not installed, or the source cannot be opened.
    """
    cv2 = _opencv()
    device = is_camera(source)
    capture = cv2.VideoCapture(int(source.removeprefix(_CAMERA)) if device else source)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # of a camera the newest frame, not one that has waited
    if not capture.isOpened():
        kind = (
            f"camera {source}: is it connected, and are you in the group video?" if device else f"{source} as a video"
        )
        raise EdgecnnError(f"cannot open {kind}")
    order = cv2.COLOR_BGR2GRAY if wanted.shape[2] == 1 else cv2.COLOR_BGR2RGB
    number = 0
    try:
        while (taken := capture.read())[0]:
            yield _framed(str(number), lambda bgr: fit_image(cv2.cvtColor(bgr, order), wanted), taken[1])
            number += 1
    finally:
        capture.release()
    if device:
        raise EdgecnnError(f"camera {source} gives no more frames: is it still connected?")


def _framed(name: str, get: Callable[..., npt.NDArray[np.uint8]], *arguments: object) -> Frame:
    start = time.perf_counter()
    try:
        pixels = get(*arguments)
    except EdgecnnError as error:
        return Frame(name, None, time.perf_counter() - start, str(error))
    return Frame(name, pixels, time.perf_counter() - start)


def _opencv() -> ModuleType | Any:
    try:
        return importlib.import_module("cv2")
    except ImportError:
        cure = install("opencv-python-headless pillow", "python3-opencv python3-pil")
        raise EdgecnnError(f"videos and cameras need OpenCV, the extra 'camera': {cure}") from None
