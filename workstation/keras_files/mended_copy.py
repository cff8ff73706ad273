"""A copy of a `.h5` or `.keras` file that Keras 3 loads, its configuration mended."""

import contextlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from workstation.keras_files.file_format import is_hdf5
from workstation.keras_files.keras2 import mended

_CONFIG, _METADATA = "config.json", "metadata.json"  # members of a .keras file


@contextlib.contextmanager
def mended_copy(path: Path) -> Iterator[Path]:
    """Give a mended copy of a file, with the suffix that Keras expects.

    Raises:
        EdgecnnError: the file holds code, or uses something that Keras 3 does not have.
    """
    data = read_file(path)
    with tempfile.TemporaryDirectory() as folder:
        suffix, mend = ("h5", _mend_h5) if is_hdf5(data) else ("keras", _mend_zip)
        copy = Path(folder) / f"model.{suffix}"
        mend(path, data, copy)
        yield copy


def _mend_h5(path: Path, data: bytes, copy: Path) -> None:
    import h5py

    copy.write_bytes(data)
    with h5py.File(copy, "r+") as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise EdgecnnError(f"{path} holds weights without a model: save it with model.save()")
        is_keras_2 = not str(file.attrs.get("keras_version", "2")).startswith("3")
        file.attrs["model_config"] = json.dumps(mended(path, json.loads(config), is_keras_2)).encode()


def _mend_zip(path: Path, data: bytes, copy: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(copy, "w") as after:
        is_keras_2 = str(json.loads(before.read(_METADATA)).get("keras_version", "3")).startswith("2")
        for member in before.infolist():
            with before.open(member) as source, after.open(member.filename, "w", force_zip64=True) as target:
                if member.filename == _CONFIG:
                    target.write(json.dumps(mended(path, json.load(source), is_keras_2)).encode())
                else:
                    shutil.copyfileobj(source, target)
