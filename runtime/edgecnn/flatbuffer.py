"""Reads a flatbuffer and trusts no offset in it: all values lie within the file, or it is an error.

A row describes a table: a letter for each field of the schema, in the order of the schema.

  skipped, after a check of the bounds          read
  1 2 4 8   a number of so many bytes           b i I    a number: uint8, int32, uint32
  s         a text                              B        bytes: their offset, their number
  y z       a list of items of 4 or 8 bytes     N F Q    a list of numbers: int32, float32, int64
                                                t        a table: its offset
  refused                                       T        a list of tables: their offsets
  x         a field that must be missing        P D A W  as i i b b, for a caller to bound

A missing field is 0, or empty; D is then 1. Source: the FlatBuffers internals, and the Verifier of its C++ library.
"""

import struct
from collections.abc import Callable
from typing import Any

_INT, _UINT, _HALVES = (struct.Struct(form).unpack_from for form in ("<i", "<I", "<2H"))
_TABLES = 100_000  # of a list, at most
_DEFAULTS: dict[str, Any] = {"D": 1, "B": (0, 0), "N": (), "F": (), "Q": (), "T": ()}  # of missing fields, if not 0

Reader = Callable[["Flatbuffer", int], Any]


class Flatbuffer:
    """A flatbuffer in memory.

    Raises:
        ValueError, struct.error: from every method, if an offset or a count leaves the file.
    """

    def __init__(self, data: bytes) -> None:
        self.data, self._end = data, len(data)
        self._layouts: dict[tuple[int, str], tuple[int, list[tuple[Reader | None, int, Any]]]] = {}
        self._left = 4 * len(data) + 65_536  # bytes of lists: a table can be named a million times

    def root(self) -> int:
        """The offset of the root table."""
        return int(_UINT(self.data)[0])

    def fields(self, at: int, row: str) -> list[Any]:
        """The fields of a table."""
        vtable = at - _INT(self.data, at)[0]
        layout = self._layouts.get((vtable, row))
        if layout is None:
            layout = self._layouts[vtable, row] = self._layout(vtable, row)
        if at + layout[0] > self._end:
            raise ValueError(f"a table at {at} leaves the file")
        return [default if read is None else read(self, at + place) for read, place, default in layout[1]]

    def _layout(self, vtable: int, row: str) -> tuple[int, list[tuple[Reader | None, int, Any]]]:
        """The size of the tables that share a vtable; and of every field its reader, place in the table and default."""
        if vtable < 0:
            raise ValueError(f"a vtable lies at {vtable}")
        length, size = _HALVES(self.data, vtable)
        if length < 4 or length % 2 or vtable + length > self._end or size < 4:
            raise ValueError(f"a vtable at {vtable} has {length} bytes, for tables of {size}")
        places = struct.unpack_from(f"<{(length - 4) // 2}H", self.data, vtable + 4)
        layout: list[tuple[Reader | None, int, Any]] = []
        for kind, place in zip(row, places + (0,) * len(row), strict=False):
            width, read = _KINDS[kind]
            if place and (place < 4 or place + width > size or kind == "x"):
                raise ValueError(f"a field of kind {kind} at {place} in a table of {size} bytes")
            layout.append((read if place else None, place, _DEFAULTS.get(kind, 0)))
        return size, layout

    def _list(self, at: int, width: int) -> tuple[int, int]:
        """The offset of a list's first item, and the number of items."""
        start: int = at + _UINT(self.data, at)[0]
        length: int = _UINT(self.data, start)[0]
        start += 4
        self._left -= length * width
        if start + length * width > self._end or self._left < 0:
            raise ValueError(f"a list of {length} at {start} leaves the file")
        if start % width and width > 1:
            raise ValueError(f"a list at {start} is not aligned to {width} bytes")
        return start, length


def _bytes(file: Flatbuffer, at: int) -> tuple[int, int]:
    return file._list(at, 1)


def _table(file: Flatbuffer, at: int) -> int:
    return at + int(_UINT(file.data, at)[0])


def _tables(file: Flatbuffer, at: int) -> tuple[int, ...]:
    start, length = file._list(at, 4)
    if length > _TABLES:
        raise ValueError(f"a list of {length} tables, at most {_TABLES} are read")
    offsets = struct.unpack_from(f"<{length}I", file.data, start)
    return tuple(start + 4 * number + offset for number, offset in enumerate(offsets))


def _list_of(form: str, width: int) -> Reader:
    def read(file: Flatbuffer, at: int) -> tuple[Any, ...]:
        start, length = file._list(at, width)
        return struct.unpack_from(f"<{length}{form}", file.data, start)

    return read


def _skip_list(width: int) -> Reader:
    return lambda file, at: file._list(at, width)


# The bytes of a field within its table, and its reader.
_KINDS: dict[str, tuple[int, Reader | None]] = {
    "1": (1, None), "2": (2, None), "4": (4, None), "8": (8, None), "x": (4, None),
    "b": (1, lambda file, at: file.data[at]),
    "i": (4, lambda file, at: _INT(file.data, at)[0]),
    "I": (4, lambda file, at: _UINT(file.data, at)[0]),
    "P": (4, lambda file, at: _INT(file.data, at)[0]),
    "D": (4, lambda file, at: _INT(file.data, at)[0]),
    "A": (1, lambda file, at: file.data[at]),
    "W": (1, lambda file, at: file.data[at]),
    "s": (4, _skip_list(1)), "y": (4, _skip_list(4)), "z": (4, _skip_list(8)), "B": (4, _bytes),
    "N": (4, _list_of("i", 4)), "F": (4, _list_of("f", 4)), "Q": (4, _list_of("q", 8)),
    "t": (4, _table), "T": (4, _tables),
}  # fmt: skip
