"""The format of a model file, by its content."""

from pathlib import Path

from edgecnn.files import read_file
from edgecnn.modelfile import model_format


def is_hdf5(data: bytes) -> bool:
    """Whether these are the bytes of a legacy `.h5` file."""
    return data.startswith(b"\x89HDF")


def file_format(path: Path) -> str:
    """`keras`, `tflite` or `onnx`, by a file's content; a legacy `.h5` is Keras's too.

    Raises:
        EdgecnnError: it cannot be read, or is none of these.
    """
    data = read_file(path)
    return "keras" if is_hdf5(data) else model_format(str(path), data)
