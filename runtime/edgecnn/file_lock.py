"""A lock on a file that several processes, or threads, read, change and write."""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

PATIENCE = 600.0  # seconds that a lock is waited for: whoever builds C for all targets holds one for minutes
_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.5  # seconds between two tries
_BUSY = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)  # that somebody else holds a lock
_SIGNATURE = 256  # bytes of a lock file that are read at most


@contextlib.contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Keep others out while `path` is read, changed and written: a second process, or thread, waits here.

    The lock is the system's own on a file beside `path`: it ends with its process, however that ends, and the file is
    removed at the end. On a network file system it may outlive its machine: so there is an end to the waiting.

    Args:
        path: the file to change.
        patience: seconds to wait at most.

    Raises:
        EdgecnnError: the folder cannot be written, or another process holds the lock for longer.
    """
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = _lock(lock, time.monotonic() + patience)
    except TimeoutError:
        raise EdgecnnError(
            f"{path} has been locked for {patience:g} seconds by {_holder(lock)}: wait for it, or delete {lock}"
        ) from None
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be changed: its folder cannot be written ({error.strerror})") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps a file that is open
            lock.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(lock: Path, deadline: float) -> int:
    """The descriptor of a lock file that is locked, and that is the one which still lies there."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            _wait_for(descriptor, deadline)
            if os.path.samestat(os.fstat(descriptor), lock.stat()):
                _sign(descriptor)
                return descriptor
        except FileNotFoundError:  # whoever held it removed it
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _wait_for(descriptor: int, deadline: float) -> None:
    """Lock a descriptor as soon as nobody else has locked its file.

    Raises:
        TimeoutError: somebody had until the deadline.
    """
    pause = _FIRST_PAUSE
    while not _try_to_lock(descriptor):
        if time.monotonic() >= deadline:
            raise TimeoutError
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _try_to_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        raise
    return True


def _sign(descriptor: int) -> None:
    """Write into a lock file whose it is, for people who wait for it."""
    host = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "this machine")
    with contextlib.suppress(OSError):  # the disk is full: the lock holds without it
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {host}".encode())


def _holder(lock: Path) -> str:
    """Who holds a lock, as far as its file tells."""
    try:
        return bounds.short(read_file(lock, _SIGNATURE).decode()).strip("'") or "another process"
    except (EdgecnnError, UnicodeDecodeError):
        return "another process"
