"""Arrays in sealed `.npz` files, and in `.npy` members whose head may lie."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.seal import check_seal, unzip_members, zip_members

_AXES = 8  # of an array
_HEADS = {  # by the first bytes of an .npy: the reader of its shape and dtype
    b"\x93NUMPY\1\0": np.lib.format.read_array_header_1_0,
    b"\x93NUMPY\2\0": np.lib.format.read_array_header_2_0,
}


def npz(arrays: Mapping[str, npt.NDArray[np.generic]]) -> bytes:
    """A sealed `.npz` that numpy reads too; the same content gives the same bytes."""
    return zip_members({f"{name}.npy": npy(array) for name, array in arrays.items()}, compress=True)


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
    """The array of an `.npy`, after a check that its head describes the bytes that follow.

    Raises:
        ValueError: it is no array, holds objects, or its shape and its bytes do not fit.
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
    except Exception as error:  # the head is Python: tokenize and ast raise errors of any kind
        raise ValueError(f"an array cannot be read: {bounds.short(str(error))}") from None
    return array


def npy(array: npt.NDArray[np.generic]) -> bytes:
    """An array as an `.npy`."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
