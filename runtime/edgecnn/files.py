"""Files that are whole or not there, and the seal that tells damage from soundness.

A sealed file ends with the SHA-256, as 64 hexadecimal digits, of every byte before them. In a ZIP (`.keras`, `.npz`,
and the one appended to a `.tflite`) the digits are the archive's comment; in an `.onnx` its last metadata entry.
"""

import contextlib
import errno
import hashlib
import io
import math
import os
import stat
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError

MOST = 2**34  # bytes of a file that is read whole
_UNTOLD = 2**20  # bytes of one in /proc, whose size is said to be 0
SEAL = 64  # bytes: a SHA-256 in hexadecimal
_ZIP_END = b"PK\x05\x06"  # the end of central directory record: 22 bytes, the last two the comment's length
_ENTRY, _LOCAL = struct.Struct("<24xL3H8xL"), struct.Struct("<26x2H")  # of the directory; before a member's bytes
_MEMBERS, _GROWTH, _ROOM = 10_000, 200, 2**26  # of a ZIP: pictures with wide black borders grow twentyfold
_AXES = 8  # of an array
_HEADS = {  # by how an .npy begins: what reads its shape and dtype
    b"\x93NUMPY\1\0": np.lib.format.read_array_header_1_0,
    b"\x93NUMPY\2\0": np.lib.format.read_array_header_2_0,
}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a ZIP can hold: the same content gives the same bytes


def sha256(data: bytes) -> str:
    """SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def hash_arrays(arrays: Iterable[npt.NDArray[np.generic]]) -> str:
    """SHA-256 over the dtype, shape and values of `arrays`, in their order: a model's weights, a data set."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def write_file(path: Path, data: bytes) -> None:
    """Write `data` to a temporary file beside `path` and rename it: `path` is whole, or as it was.

    Raises:
        OSError: the folder cannot be written, or the disk is full; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")  # threads share a number
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say which file it was
        raise
    finally:
        beside.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Refuse before long work what could not be written at its end; nothing is left behind.

    Raises:
        EdgecnnError: `path` is a folder, or its folder, or the first of those above that is there, cannot be written.
    """
    import tempfile

    if path.is_dir():
        raise EdgecnnError(f"{path} is a folder: name a file")
    try:
        with tempfile.TemporaryFile(dir=next(each for each in path.absolute().parents if each.exists())):
            pass
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be written: {error.strerror}") from None


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others out while `path` is read, changed and written: a second process, or thread, waits here.

    The lock is the system's own on a file beside `path`: it ends with its process, however that ends, and the file is
    taken away at the end.

    Raises:
        EdgecnnError: the folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = _lock(beside)
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be changed: its folder cannot be written ({error.strerror})") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps a file that is open
            beside.unlink(missing_ok=True)
        os.close(held)


def _lock(beside: Path) -> int:
    """The descriptor of a lock file that is locked, and that is the one which still lies there."""
    while True:
        held = os.open(beside, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _wait_for(held)
            if os.path.samestat(os.fstat(held), beside.stat()):
                return held
        except FileNotFoundError:  # whoever held it took it away
            pass
        except BaseException:
            os.close(held)
            raise
        os.close(held)


def _wait_for(held: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(held, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(held, fcntl.LOCK_EX)


def read_file(path: Path, most: int = MOST) -> bytes:
    """The bytes of `path`.

    Raises:
        EdgecnnError: there is no such file, it cannot be read, is no regular file, or has more than `most` bytes.
    """
    try:
        with open(_regular(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            wanted = min(most, max(size, _UNTOLD)) + 1  # Python takes that much memory first: no more than there is
            data = file.read(wanted) if size <= most else b""
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be read: {error.strerror}") from None
    if max(size, len(data)) > most:
        raise EdgecnnError(f"{path} has more than {most:,} bytes, the most that are read here")
    return data


def check_regular(path: Path) -> None:
    """Refuse what is no regular file: a pipe may never end, nor does /dev/zero.

    Raises:
        EdgecnnError: it is a pipe, a device or a folder, there is none, or it cannot be read.
    """
    try:
        os.close(_regular(path))
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be read: {error.strerror}") from None


def _regular(path: Path) -> int:
    """A descriptor of a regular file; what else lies there is not waited for."""
    held = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    kind = os.fstat(held).st_mode
    if stat.S_ISREG(kind):
        return held
    os.close(held)
    raise OSError(errno.EINVAL, "it is a folder" if stat.S_ISDIR(kind) else "it is a pipe or a device, not a file")


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
    """A sealed ZIP of `members`, behind (or, where that is a ZIP, within) `before`; same content, same bytes."""
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
        zipfile.BadZipFile: it is none, a member is damaged, or they would grow beyond all measure.
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
    """The bytes of an uncompressed member of a sealed ZIP; None where it has none of that name.

    Before the first label nothing else is wanted of a ZIP, and to import `zipfile` takes longer than a hundred
    inferences. Source: PKWARE's APPNOTE.TXT, 4.3.7 and 4.3.12.
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


def npz(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """A sealed `.npz` that numpy reads too; the same content gives the same bytes."""
    return zip_members({f"{name}.npy": _npy(array) for name, array in arrays.items()}, compress=True)


def read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a sealed `.npz`.

    Raises:
        EdgecnnError: it cannot be read, or it is damaged.
    """
    import zipfile

    data = read_file(path)
    check_seal(str(path), data)
    try:
        members = unzip_members(data)
        return {name.removesuffix(".npy"): load_npy(member) for name, member in members.items()}
    except (zipfile.BadZipFile, ValueError) as error:
        raise EdgecnnError(f"{path} is no .npz of edgecnn ({error}): make it again") from None


def load_npy(data: bytes) -> npt.NDArray[Any]:
    """The array of an `.npy`, once its head is found to speak of the bytes that follow.

    Raises:
        ValueError: it is none, holds objects, or its shape is another than its bytes are for.
    """
    file = io.BytesIO(data)
    try:
        shape, _, dtype = _HEADS[file.read(8)](file)  # type: ignore[no-untyped-call]
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise ValueError("it holds Python objects: store numbers")
        if len(shape) > _AXES or not dtype.itemsize or size != len(data) - file.tell():
            raise ValueError(f"an array of shape {bounds.short(shape)} and {dtype} in {len(data):,} bytes")
        file.seek(0)
        array: npt.NDArray[Any] = np.load(file, allow_pickle=False)
    except Exception as error:  # the head is Python, and tokenize and ast raise whatever they like of it
        raise ValueError(f"an array cannot be read: {bounds.short(str(error))}") from None
    return array


def _npy(array: npt.NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
