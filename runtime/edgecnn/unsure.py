"""A folder of pictures whose answer was `unknown`, with what was answered: to be labelled, and trained on."""

import contextlib
import json
import re
import struct
import time
import zlib
from collections import deque
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.command import tell
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable, write_file
from edgecnn.message import Message

_TEXT = b"edgecnn\0\0\0\0\0"  # the keyword of the chunk with the message, not compressed, of no language
_NAME = re.compile(r"\d{8}T\d{6}\.\d{6}\.png", re.ASCII)  # others are not ours, and stay
_GREY, _RGB = 0, 2  # colour types of a PNG
_MARK = b"\x89PNG\r\n\x1a\n"


class UnsureFolder:
    """Pictures in the model's shape, as PNG with the message in a text chunk; the oldest go when there is no room.

    Args:
        folder: of the pictures; it is made.
        most: bytes of all of them.
        pause: seconds from one picture to the next, at least: of a camera that looks at one thing.

    Raises:
        EdgecnnError: the folder cannot be written.
    """

    def __init__(self, folder: Path, most: int, pause: float = 0.0) -> None:
        check_writable(folder / "picture.png")
        self._folder, self._most, self._pause = folder, most, pause
        self._kept = deque(
            sorted((path.name, path.stat().st_size) for path in folder.glob("*.png") if is_ours(path.name))
        )
        self._bytes = sum(size for _, size in self._kept)
        self._last, self._stamp, self._failure = -pause, 0, ""

    def keep(self, pixels: npt.NDArray[np.uint8], message: Message) -> None:
        """Keep a picture, uint8, (height, width, 1 or 3); a disk that fails gets a line on stderr, once."""
        now = time.monotonic()
        if now - self._last < self._pause:
            return
        picture = encoded(pixels, message)
        if len(picture) > self._most:
            return
        try:
            self._make_room(len(picture))
            name = self._new_name()
            write_file(self._folder / name, picture)
        except OSError as error:
            self._tell(f"{self._folder}: {error.strerror}: unsure pictures are lost")
            return
        self._kept.append((name, len(picture)))
        self._bytes, self._last = self._bytes + len(picture), now

    def _make_room(self, size: int) -> None:
        while self._kept and self._bytes + size > self._most:
            name, freed = self._kept[0]
            (self._folder / name).unlink(missing_ok=True)  # it may have been collected
            self._kept.popleft()
            self._bytes -= freed

    def _new_name(self) -> str:
        """The time in microseconds, later than that of the last picture."""
        self._stamp = max(time.time_ns() // 1000, self._stamp + 1)
        seconds, rest = divmod(self._stamp, 10**6)
        return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{rest:06}.png"

    def _tell(self, line: str) -> None:
        if line != self._failure:
            tell(line)
        self._failure = line


def is_ours(name: str) -> bool:
    """Whether a file's name is one that such a folder gave to a picture."""
    return bool(_NAME.fullmatch(name))


def message_in(picture: bytes) -> Message:
    """The message inside a picture; empty if there is none, or it cannot be read."""
    place = 8
    with contextlib.suppress(ValueError, EdgecnnError, struct.error):
        while place < len(picture):
            (size,) = struct.unpack_from(">L", picture, place)
            content = picture[place + 8 : place + 8 + size]
            if picture[place + 4 : place + 8] == b"iTXt" and content.startswith(_TEXT):
                message = bounds.parsed(content[len(_TEXT) :])
                return message if isinstance(message, dict) else {}
            place += 12 + size
    return {}


def encoded(pixels: npt.NDArray[np.uint8], message: Message) -> bytes:
    """A PNG of the pixels, (height, width, 1 or 3), with the message. Source: PNG (ISO/IEC 15948), 11.2, 11.3.4.5."""
    height, width, channels = pixels.shape
    if channels not in (1, 3):
        raise EdgecnnError(f"pictures of {channels} channels are not kept: leave out --keep-unsure")
    rows = np.zeros((height, 1 + width * channels), np.uint8)  # a filter's number first: none
    rows[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">2L5B", width, height, 8, _GREY if channels == 1 else _RGB, 0, 0, 0)
    text = _TEXT + json.dumps(message).encode()
    chunks = (b"IHDR", head), (b"iTXt", text), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b"")
    return _MARK + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))
