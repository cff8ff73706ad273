"""The engine `native`: a library that `python -m convert.c --build` made of a model's C, called by ctypes.

It lies beside the `.tflite` with the same weights: `model_int8.tflite`, `model_int8-linux-aarch64.so`, and
`model_int8.native.json`, which says what the library is made from and its SHA-256. None is loaded whose hash differs.
"""

import contextlib
import ctypes
import math
import os
import platform
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Manifest
from edgecnn.modelfile import find_manifest

SCHEMA = 1
LIBRARIES = "*.native.json"  # what describes them
_MACHINES = {"AMD64": "x86_64", "arm64": "aarch64", "armv7l": "armv7", "armv8l": "armv7"}
_SYMBOL = re.compile("[A-Za-z_][A-Za-z0-9_]*")  # a name in C
_TARGETS, _SIDE, _SIZE = 100, 2**15, 2**26  # libraries; of an end
_MOST = 2**28  # bytes of a library
_LOADED: dict[str, ctypes.CDLL] = {}  # by SHA-256
_LOADING = threading.Lock()


def description(model: Path) -> Path:
    """Where the libraries of a model are described."""
    return model.with_name(LIBRARIES.replace("*", model.stem))


def target() -> str:
    """This machine as `python -m convert.c --build` names it: `linux-aarch64`, `linux-x86_64-musl`."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    if machine == "aarch64" and ctypes.sizeof(ctypes.c_void_p) == 4:
        machine = "armv7"  # a 32-bit Python on a 64-bit kernel
    libc = "" if platform.libc_ver()[0] == "glibc" or platform.system() != "Linux" else "-musl"
    return f"{platform.system().lower()}-{machine}{libc}"


def available(model: Path, where: str = "") -> bool:
    """Whether there is a library for a target beside a model; for this machine where none is named."""
    try:
        return (where or target()) in _read(description(model)).libraries
    except EdgecnnError:
        return False


@dataclass(frozen=True)
class Described:
    """What the file beside a model says, as far as it is read here."""

    symbol: str
    source_hashes: dict[str, str | None]
    input: TensorSpec
    output: TensorSpec
    libraries: dict[str, tuple[str, str]]  # by target: a file's name and its SHA-256


class NativeEngine:
    """A library made of a model's C. Each thread has an arena of its own inside it."""

    def __init__(self, model: Path, data: bytes, threads: int) -> None:
        if threads != 1:
            raise EdgecnnError("the library runs an inference in one thread: leave --threads at 1")
        said = _described(model, find_manifest(str(model), data))
        library = _library(model, said)
        self.input, self.output = said.input, said.output
        self._feed, self._result = (np.zeros(end.shape, end.dtype) for end in (self.input, self.output))
        run = _function(library, f"{said.symbol}_run", model)
        run.argtypes, run.restype = (ctypes.c_void_p, ctypes.c_void_p), None
        ends = tuple(ctypes.c_void_p(array.ctypes.data) for array in (self._feed, self._result))
        self._run, self._ends = run, ends

    def feed(self) -> Any:
        """The array to write the input into."""
        return self._feed

    def invoke(self) -> None:
        """Run the model once."""
        self._run(*self._ends)

    def result(self) -> Any:
        """The output of the last `invoke()`."""
        return self._result


def _described(model: Path, manifest: Manifest | None) -> Described:
    """What the file beside the model says.

    Raises:
        EdgecnnError: there is none, it cannot be read, or it is of other weights.
    """
    path = description(model)
    if not path.exists():
        raise EdgecnnError(f"there is no {path.name} beside the model: python -m convert.c --build {target()}")
    described = _read(path)
    if described.source_hashes != source_hashes(manifest):
        raise EdgecnnError(f"{path} belongs to another model: build it again with python -m convert.c")
    return described


def _read(path: Path) -> Described:
    """Read what describes libraries.

    Raises:
        EdgecnnError: it cannot be read, or says what cannot be.
    """
    try:
        document = bounds.parsed(read_file(path, bounds.DOCUMENT))
        if document["schema"] != SCHEMA:
            raise EdgecnnError(f"its schema is {bounds.short(document['schema'])}")
        symbol = bounds.text(document["symbol"], "symbol")
        if not _SYMBOL.fullmatch(symbol):
            raise EdgecnnError(f"symbol is {bounds.short(symbol)}")
        libraries = bounds.items(document["libraries"], "libraries", _TARGETS)
        return Described(
            symbol,
            {name: document[name] for name in ("weights_sha256", "calibration_sha256")},
            _tensor(document["input"]),
            _tensor(document["output"]),
            {bounds.text(target, "a target"): _entry(entry) for target, entry in libraries.items()},
        )
    except (EdgecnnError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EdgecnnError(f"{path} cannot be read ({error}): build it again with python -m convert.c") from None


def _entry(entry: dict[str, Any]) -> tuple[str, str]:
    """The file and the hash of a library."""
    name = bounds.text(entry["file"], "file")
    if Path(name).name != name:
        raise EdgecnnError(f"{bounds.short(name)} is no name of a file beside it")
    return name, bounds.text(entry["sha256"], "sha256")


def _tensor(end: dict[str, Any]) -> TensorSpec:
    shape = tuple(bounds.whole(side, "a side", 1, _SIDE) for side in bounds.items(end["shape"], "shape", 4))
    bounds.whole(math.prod(shape), "the size of an end", 1, _SIZE)
    scale = bounds.number(end["scale"], "scale", 1e-12, 1e12)
    return TensorSpec(shape, np.dtype(np.int8), scale, bounds.whole(end["zero_point"], "zero_point", -128, 127))


def source_hashes(manifest: Manifest | None) -> dict[str, str | None]:
    """What two full-int8 conversions of one network have in common, whatever rewrites they went through."""
    calibration = manifest.calibration if manifest else None
    return {
        "weights_sha256": manifest.weights_sha256 if manifest else None,
        "calibration_sha256": calibration.sha256 if calibration else None,
    }


def _library(model: Path, described: Described) -> ctypes.CDLL:
    """The library for this machine, once its hash is found right."""
    here = target()
    if here not in described.libraries:
        others = ", ".join(described.libraries) or "no target"
        raise EdgecnnError(
            f"{model.name} has libraries for {others}, none for {here}: python -m convert.c --build {here}"
        )
    name, expected = described.libraries[here]
    path = model.with_name(name)
    data = read_file(path, _MOST)
    if sha256(data) != expected:
        raise EdgecnnError(
            f"{path} is not the library that {description(model).name} describes: build or copy it again"
        )
    try:
        with _LOADING:
            if expected not in _LOADED:
                _LOADED[expected] = _load(path.name, data)
            return _LOADED[expected]
    except OSError as error:
        reason = str(error).replace("/proc/self/fd", "memory")
        raise EdgecnnError(f"{path} cannot be loaded here ({reason}): was it built for {here}?") from None


def _load(name: str, data: bytes) -> ctypes.CDLL:
    """Load the bytes that were hashed: whoever may write the folder could change the file between two looks at it."""
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
    held = os.memfd_create(name[:100], os.MFD_CLOEXEC)
    try:
        with open(held, "wb", closefd=False) as file:
            file.write(data)
        return ctypes.CDLL(f"/proc/self/fd/{held}")
    except OSError:
        os.close(held)
        raise
    # It stays open: the linker knows a library by its path, and would give this one to the next with its number.


def _function(library: ctypes.CDLL, name: str, model: Path) -> Any:
    try:
        return getattr(library, name)
    except AttributeError:
        raise EdgecnnError(
            f"the library has no {name}, of which {description(model).name} speaks: build it again"
        ) from None
