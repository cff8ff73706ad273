"""What lies beside a model for the engine `native`, as `model_int8.native.json` describes it.

It names the libraries that `python -m convert.c --build` built (`model_int8-linux-aarch64.so`) with their SHA-256, and
the weights that they hold. It is hostile input until it is checked.
"""

import math
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn import bounds
from edgecnn.architecture import machine
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Manifest

SCHEMA = 2  # 2: how pixels become the input; the function `predict`
_MACHINES = {"AMD64": "x86_64", "arm64": "aarch64", "armv7l": "armv7"}  # as targets call them
_SYMBOL = re.compile("[A-Za-z_][A-Za-z0-9_]*")  # a name in C
_TARGETS = 100  # libraries


@dataclass(frozen=True)
class Description:
    """The part of a description that the runtime reads."""

    symbol: str  # prefix of the library's functions
    key: dict[str, Any]  # see `library_key`
    input: TensorSpec
    output: TensorSpec
    libraries: dict[str, tuple[str, str]]  # by target: a file's name and its SHA-256


def description_file(model: Path) -> Path:
    """The file that describes the libraries of a model."""
    return model.with_name(ENGINES["native"].companions.replace("*", model.stem))


def target() -> str:
    """This machine as `python -m convert.c --build` names it: `linux-aarch64`, `linux-x86_64-musl`."""
    libc = "" if platform.libc_ver()[0] == "glibc" or platform.system() != "Linux" else "-musl"
    return f"{platform.system().lower()}-{_MACHINES.get(machine(), machine())}{libc}"


def available(model: Path, where: str = "") -> bool:
    """Whether a model has a library for a target; without a target, for this machine."""
    try:
        return (where or target()) in _read(description_file(model)).libraries
    except EdgecnnError:
        return False


def matching_description(model: Path, manifest: Manifest | None) -> Description:
    """The description beside a model, of libraries with the model's own weights.

    Raises:
        EdgecnnError: it is missing, cannot be read, or belongs to other weights.
    """
    path = description_file(model)
    if not path.exists():
        raise EdgecnnError(f"there is no {path.name} beside the model: python -m convert.c --build {target()}")
    description = _read(path)
    if description.key != library_key(manifest):
        raise EdgecnnError(f"{path} belongs to another model: build it again with python -m convert.c")
    return description


def library_key(manifest: Manifest | None) -> dict[str, Any]:
    """What a model and its libraries must have in common: the network, and how pixels become its input.

    All full-int8 conversions of one network share it, whatever their rewrites.
    """
    calibration = manifest.calibration if manifest else None
    return {
        "weights_sha256": manifest.weights_sha256 if manifest else None,
        "calibration_sha256": calibration.sha256 if calibration else None,
        "pixel_scale": list(manifest.input.pixel_scale) if manifest else None,
        "pixel_offset": list(manifest.input.pixel_offset) if manifest else None,
    }


def _read(path: Path) -> Description:
    """Read a description.

    Raises:
        EdgecnnError: it cannot be read, or a value is out of bounds.
    """
    try:
        document = bounds.parsed(read_file(path, bounds.DOCUMENT))
        if document["schema"] != SCHEMA:
            raise EdgecnnError(f"its schema is {bounds.short(document['schema'])}")
        symbol = bounds.text(document["symbol"], "symbol")
        if not _SYMBOL.fullmatch(symbol):
            raise EdgecnnError(f"symbol is {bounds.short(symbol)}")
        libraries = bounds.items(document["libraries"], "libraries", _TARGETS)
        return Description(
            symbol,
            {name: document[name] for name in library_key(None)},
            _tensor_spec(document["input"]),
            _tensor_spec(document["output"]),
            {bounds.text(name, "a target"): _library(entry) for name, entry in libraries.items()},
        )
    except (EdgecnnError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EdgecnnError(f"{path} cannot be read ({error}): build it again with python -m convert.c") from None


def _library(entry: dict[str, Any]) -> tuple[str, str]:
    """The file name and the SHA-256 of a library."""
    name = bounds.text(entry["file"], "file")
    if Path(name).name != name:
        raise EdgecnnError(f"{bounds.short(name)} is no name of a file beside it")
    return name, bounds.text(entry["sha256"], "sha256")


def _tensor_spec(end: dict[str, Any]) -> TensorSpec:
    shape = tuple(bounds.whole(side, "a side", 1, bounds.SIDE) for side in bounds.items(end["shape"], "shape", 4))
    bounds.whole(math.prod(shape), "the size of a tensor", 1, bounds.VALUES)
    scale = bounds.number(end["scale"], "scale", 1e-12, 1e12)
    return TensorSpec(shape, np.dtype(np.int8), scale, bounds.whole(end["zero_point"], "zero_point", -128, 127))
