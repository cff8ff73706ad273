"""Files that are whole or not there: how they are read, written and hashed."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError

MOST = 2**34  # bytes of a file that is read whole
_UNKNOWN_SIZE = 2**20  # bytes that are read of a file in /proc, whose size is stated as 0


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
    """Check before long work that its result can be written; nothing is left behind.

    Raises:
        EdgecnnError: `path` is a folder, or the first existing folder above it cannot be written.
    """
    import tempfile

    if path.is_dir():
        raise EdgecnnError(f"{path} is a folder: name a file")
    try:
        with tempfile.TemporaryFile(dir=next(folder for folder in path.absolute().parents if folder.exists())):
            pass
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be written: {error.strerror}") from None


def read_file(path: Path, most: int = MOST) -> bytes:
    """The bytes of `path`.

    Raises:
        EdgecnnError: there is no such file, it cannot be read, is no regular file, or has more than `most` bytes.
    """
    try:
        with open(_regular(path), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            wanted = min(most, max(size, _UNKNOWN_SIZE)) + 1  # Python allocates as much before it reads
            data = file.read(wanted) if size <= most else b""
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be read: {error.strerror}") from None
    if max(size, len(data)) > most:
        raise EdgecnnError(f"{path} has more than {most:,} bytes, the most that are read here")
    return data


def check_regular(path: Path) -> None:
    """Refuse a path that is no regular file: a pipe may never end, and /dev/zero never does.

    Raises:
        EdgecnnError: it is a pipe, a device or a folder, does not exist, or cannot be read.
    """
    try:
        os.close(_regular(path))
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be read: {error.strerror}") from None


def _regular(path: Path) -> int:
    """A descriptor of a regular file; a pipe is refused without waiting for it."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is a folder" if stat.S_ISDIR(kind) else "it is a pipe or a device, not a file")
