"""Loads the library of the engine `native`, if it has the SHA-256 that its description states."""

import contextlib
import ctypes
import os
import threading
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256
from edgecnn.native_description import Description, description_file, target

_MOST = 2**28  # bytes of a library
_LOADED: dict[str, ctypes.CDLL] = {}  # by SHA-256
_LOADING = threading.Lock()


def load_library(model: Path, description: Description) -> ctypes.CDLL:
    """The library of a model for this machine; loaded once in a process.

    Raises:
        EdgecnnError: there is none for this machine, its SHA-256 differs, or it cannot be loaded.
    """
    here = target()
    if here not in description.libraries:
        others = ", ".join(description.libraries) or "no target"
        raise EdgecnnError(
            f"{model.name} has libraries for {others}, none for {here}: python -m convert.c --build {here}"
        )
    name, expected = description.libraries[here]
    path = model.with_name(name)
    data = read_file(path, _MOST)
    if sha256(data) != expected:
        raise EdgecnnError(
            f"{path} is not the library that {description_file(model).name} describes: build or copy it again"
        )
    try:
        with _LOADING:
            if expected not in _LOADED:
                _LOADED[expected] = _load(path.name, data)
            return _LOADED[expected]
    except OSError as error:
        reason = str(error).replace("/proc/self/fd", "memory")
        raise EdgecnnError(f"{path} cannot be loaded here ({reason}): was it built for {here}?") from None


def function(library: ctypes.CDLL, name: str, model: Path) -> Any:
    """A function of a model's library.

    Raises:
        EdgecnnError: the library has none of that name.
    """
    try:
        return getattr(library, name)
    except AttributeError:
        raise EdgecnnError(
            f"the library has no {name}, which {description_file(model).name} implies: build it again"
        ) from None


def _load(name: str, data: bytes) -> ctypes.CDLL:
    """Load the bytes that were hashed: whoever may write the folder could change the file between two reads of it."""
    if hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError):  # a kernel may forbid programs in memory
            return _load_memory(name, data)
    import shutil
    import tempfile

    folder = tempfile.mkdtemp(prefix="edgecnn-")  # for this user alone
    try:
        copy = Path(folder) / name
        copy.write_bytes(data)
        return ctypes.CDLL(str(copy))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _load_memory(name: str, data: bytes) -> ctypes.CDLL:
    descriptor = os.memfd_create(name[:100], os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        return ctypes.CDLL(f"/proc/self/fd/{descriptor}")
    except OSError:
        os.close(descriptor)
        raise
    # It stays open: the linker knows a library by its path, and would return this one for the next with its number.
