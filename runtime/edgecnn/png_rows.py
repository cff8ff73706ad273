"""A large PNG of colours as bands of its rows: Pillow alone holds the whole, 4 bytes a pixel.

Every band becomes a small PNG. A row is stored as its differences from the row above, so a band begins with the last
row of the band before, stored as it is. Source: W3C, Portable Network Graphics, third edition: 5 (chunks), 7.3 and 9
(rows).
"""

import io
import struct
import zlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any, BinaryIO

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 4: 2, 6: 4}  # by colour type: those whose pixels Pillow holds in 4 bytes
_KEPT = (b"tRNS", b"eXIf")  # chunks besides the pixels: transparency and orientation
_PIECE = 4096  # bytes that are inflated together: they become a thousand times as many at most
_HEAD = struct.Struct(">LL5B")


def splits(file: BinaryIO) -> bool:
    """Whether a PNG is of a kind that is read in bands: 8 bits a channel, of colours or with alpha, not interlaced."""
    _, _, depth, colour, _, _, interlaced = _head(file)
    return depth == 8 and colour in _CHANNELS and not interlaced


def bands(file: BinaryIO, rows: int, pillow: ModuleType) -> Iterator[Any]:
    """The Pillow images of a PNG that `splits`, from the top, each of `rows` rows, the last one of fewer.

    Raises:
        OSError: the file is cut.
        zlib.error: it is damaged.
    """
    width, left, *rest = _head(file)
    kept = b"".join(_chunk(kind, _read(file, start, size)) for kind, start, size in _chunks(file) if kind in _KEPT)
    row = width * _CHANNELS[rest[1]]
    above, stored = bytes(row), bytearray()
    for piece in _inflated(file):  # to the end, where its checksum is
        stored += piece if left else b""
        while left and len(stored) >= (count := min(rows, left)) * (1 + row):
            head = _chunk(b"IHDR", _HEAD.pack(width, 1 + count, *rest))
            data = zlib.compress(bytes(1) + above + stored[: count * (1 + row)], 0)
            small = pillow.open(io.BytesIO(_SIGNATURE + head + kept + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")))
            above = small.crop((0, count, width, 1 + count)).tobytes()
            yield small.crop((0, 1, width, 1 + count))
            del stored[: count * (1 + row)]
            left -= count
    if left:
        raise OSError("the file is cut")


def _head(file: BinaryIO) -> tuple[int, ...]:
    return _HEAD.unpack(_read(file, len(_SIGNATURE) + 8, _HEAD.size))


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    return file.read(size)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The kind of every chunk, and the offset and size of its data."""
    at = len(_SIGNATURE)
    while len(head := _read(file, at, 8)) == 8:
        size, kind = struct.unpack(">L4s", head)
        yield kind, at + 8, size
        at += 12 + size


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of all rows, inflated, in pieces."""
    stream = zlib.decompressobj()
    for kind, start, size in _chunks(file):
        for at in range(start, start + size if kind == b"IDAT" else start, _PIECE):
            yield stream.decompress(_read(file, at, min(_PIECE, start + size - at)))
    if not stream.eof:
        raise OSError("the file is cut")
