"""The engine `native`: a library that `python -m convert.c --build` made of a model's C, called by ctypes.

It lies beside the `.tflite` with the same weights: `model_int8.tflite`, `model_int8-linux-aarch64.so`, and
`model_int8.native.json`, which says what the library is made from and its SHA-256. None is loaded whose hash differs.
"""

import ctypes
import json
import platform
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256
from edgecnn.interpreters import Tensor
from edgecnn.manifest import Manifest
from edgecnn.modelfile import find_manifest

SCHEMA = 1
LIBRARIES = "*.native.json"  # what describes them


def description(model: Path) -> Path:
    """Where the libraries of a model are described."""
    return model.with_name(LIBRARIES.replace("*", model.stem))


def target() -> str:
    """This machine as `python -m convert.c --build` names it: `linux-aarch64`, `linux-x86_64-musl`."""
    machine = {"AMD64": "x86_64", "arm64": "aarch64", "armv7l": "armv7", "armv8l": "armv7"}.get(
        platform.machine(), platform.machine()
    )
    if machine == "aarch64" and ctypes.sizeof(ctypes.c_void_p) == 4:
        machine = "armv7"  # a 32-bit Python on a 64-bit kernel
    libc = "" if platform.libc_ver()[0] == "glibc" or platform.system() != "Linux" else "-musl"
    return f"{platform.system().lower()}-{machine}{libc}"


def available(model: Path, where: str = "") -> bool:
    """Whether there is a library for a target beside a model; for this machine where none is named."""
    try:
        return (where or target()) in json.loads(description(model).read_bytes())["libraries"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


class NativeEngine:
    """A library made of a model's C. Each thread has an arena of its own inside it."""

    def __init__(self, model: Path, data: bytes, threads: int) -> None:
        if threads != 1:
            raise EdgecnnError("the library runs an inference in one thread: leave --threads at 1")
        said = _described(model, find_manifest(str(model), data))
        library = _library(model, said)
        self.input, self.output = (_tensor(said[end]) for end in ("input", "output"))
        self._feed, self._result = (np.zeros(end.shape, end.dtype) for end in (self.input, self.output))
        run = getattr(library, f"{said['symbol']}_run")
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


def _described(model: Path, manifest: Manifest | None) -> dict[str, Any]:
    """What the file beside the model says.

    Raises:
        EdgecnnError: there is none, it cannot be read, or it is of other weights.
    """
    path = description(model)
    if not path.exists():
        raise EdgecnnError(f"there is no {path.name} beside the model: python -m convert.c --build {target()}")
    try:
        said: dict[str, Any] = json.loads(read_file(path))
        same = said["schema"] == SCHEMA and origin(manifest).items() <= said.items()
    except (ValueError, KeyError, TypeError) as error:
        raise EdgecnnError(f"{path} cannot be read ({error}): build it again with python -m convert.c") from None
    if not same:
        raise EdgecnnError(f"{path} belongs to another model: build it again with python -m convert.c")
    return said


def origin(manifest: Manifest | None) -> dict[str, str | None]:
    """What two full-int8 conversions of one network have in common, whatever rewrites they went through."""
    calibration = manifest.calibration if manifest else None
    return {
        "weights_sha256": manifest.weights_sha256 if manifest else None,
        "calibration_sha256": calibration.sha256 if calibration else None,
    }


def _library(model: Path, said: dict[str, Any]) -> ctypes.CDLL:
    """The library for this machine, once its hash is found right."""
    here = target()
    if here not in said["libraries"]:
        others = ", ".join(said["libraries"])
        raise EdgecnnError(
            f"{model.name} has libraries for {others}, none for {here}: python -m convert.c --build {here}"
        )
    entry = said["libraries"][here]
    path = model.with_name(entry["file"])
    if sha256(read_file(path)) != entry["sha256"]:
        raise EdgecnnError(
            f"{path} is not the library that {description(model).name} describes: build or copy it again"
        )
    try:
        return ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be loaded here ({error}): was it built for {here}?") from None


def _tensor(said: dict[str, Any]) -> Tensor:
    return Tensor(tuple(said["shape"]), np.dtype(np.int8), said["scale"], said["zero_point"])
