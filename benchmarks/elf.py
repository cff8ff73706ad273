"""The sections of a compiled file. Source: elf(5)."""

import struct
from typing import NamedTuple

_ALLOCATED, _EXECUTABLE, _WRITABLE = 2, 4, 1  # flags
_NO_BITS = 8  # a kind: zeros that are not in the file


class Section(NamedTuple):
    """A section that is loaded when the file runs."""

    kind: int
    flags: int
    size: int


def _sections(data: bytes) -> list[Section]:
    """The allocated sections of a little-endian ELF file of 32 or 64 bits."""
    wide = data[4] == 2
    (begin,) = struct.unpack_from("<Q" if wide else "<L", data, 40 if wide else 32)
    entry, count = struct.unpack_from("<2H", data, 58 if wide else 46)
    form = "<2L4Q" if wide else "<6L"  # name, kind, flags, address, offset, size
    headers = [struct.unpack_from(form, data, begin + number * entry) for number in range(count)]
    return [Section(kind, flags, size) for _, kind, flags, _, _, size in headers if flags & _ALLOCATED]


def flash_and_ram(data: bytes) -> tuple[int, int]:
    """Bytes that a file takes on a microcontroller; variables with a value lie in flash too, until it starts."""
    sections = _sections(data)
    flash = sum(size for kind, flags, size in sections if not flags & _WRITABLE or kind != _NO_BITS)
    return flash, sum(size for _, flags, size in sections if flags & _WRITABLE)


def code_bytes(data: bytes) -> int:
    """Bytes of machine code, without constants."""
    return sum(size for _, flags, size in _sections(data) if flags & _EXECUTABLE)
