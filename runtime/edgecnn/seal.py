"""The seal that tells damage from soundness, and the ZIPs that carry it.

A sealed file ends with the SHA-256, as 64 hexadecimal digits, of every byte before them. In a ZIP (`.keras`, `.npz`,
and the one appended to a `.tflite`) the digits are the archive's comment; in an `.onnx` its last metadata entry.
"""

import io
import struct
import zlib
from collections.abc import Mapping

from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256

SEAL = 64  # bytes: a SHA-256 in hexadecimal
_ZIP_END = b"PK\x05\x06"  # the end of central directory record: 22 bytes, the last two the comment's length
_ENTRY, _LOCAL = struct.Struct("<24xL3H8xL"), struct.Struct("<26x2H")  # of the directory; before a member's bytes
_MEMBERS, _GROWTH, _ROOM = 10_000, 200, 2**26  # of a ZIP: pictures with wide black borders grow twentyfold
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a ZIP can hold: the same content gives the same bytes


def seal(data: bytes) -> bytes:
    """`data` and its seal."""
    return data + sha256(data).encode()


def check_seal(name: str, data: bytes) -> None:
    """Compare the last `SEAL` bytes of a sealed file with what comes before them.

    Raises:
        EdgecnnError: they differ: the file is damaged.
    """
    expected, found = data[-SEAL:].decode("ascii", "replace"), sha256(data[:-SEAL])
    if expected != found:
        raise EdgecnnError(f"{name} is damaged: SHA-256 {expected} expected, {found} found; copy or make it again")


def zip_members(members: Mapping[str, bytes], before: bytes = b"", compress: bool = False) -> bytes:
    """A sealed ZIP of `members`, behind `before` (or within it, if that is a ZIP); same content, same bytes."""
    import zipfile

    buffer = io.BytesIO()
    buffer.write(before)
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, method)
        archive.comment = b"0" * SEAL
    return seal(buffer.getvalue()[:-SEAL])


def unzip_members(data: bytes) -> dict[str, bytes]:
    """The members of a ZIP, or of one appended to something else.

    Raises:
        zipfile.BadZipFile: it is no ZIP, a member is damaged, or the members would grow beyond the bounds.
    """
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            if len(archive.infolist()) > _MEMBERS or size > _GROWTH * len(data) + _ROOM:
                raise zipfile.BadZipFile(f"{len(archive.infolist()):,} members would grow to {size:,} bytes")
            return {name: archive.read(name) for name in archive.namelist()}
    except (NotImplementedError, RuntimeError, OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise zipfile.BadZipFile(str(error)) from None  # encrypted, another method, an offset before the beginning


def stored_member(data: bytes, wanted: str) -> bytes | None:
    """The bytes of an uncompressed member of a sealed ZIP; None if it has none of that name.

    The first label needs nothing else of a ZIP, and the import of `zipfile` takes longer than a hundred inferences.
    Source: PKWARE's APPNOTE.TXT, 4.3.7 and 4.3.12.
    """
    count, _, at = struct.unpack_from("<HLL", data, len(data) - SEAL - 12)
    for _ in range(count):
        size, name, extra, comment, begin = _ENTRY.unpack_from(data, at)
        at += 46 + name + extra + comment
        if data[at - name - extra - comment : at - extra - comment] == wanted.encode():
            begin += 30 + sum(_LOCAL.unpack_from(data, begin))
            return data[begin : begin + size]
    return None


def has_sealed_zip(data: bytes) -> bool:
    """Whether `data` ends with a ZIP whose comment is a seal."""
    end = data[-SEAL - 22 : -SEAL]
    return end.startswith(_ZIP_END) and end[20:] == SEAL.to_bytes(2, "little")
