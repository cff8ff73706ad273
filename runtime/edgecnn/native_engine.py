"""The engine `native`: the library that `python -m convert.c --build` built from a model's C, called by ctypes."""

import ctypes
from pathlib import Path

import numpy as np

from edgecnn import native_description
from edgecnn.interpreters import Array
from edgecnn.modelfile import find_manifest
from edgecnn.native_library import function, load_library


class NativeEngine:
    """The library of a model. Inside it each thread has an arena of its own.

    Args:
        module: this one; not used.
        model: the `.tflite` that the library lies beside.
        data: the model.
        threads: threads for one inference: 1.

    Raises:
        EdgecnnError: there is no library for this machine, or it is damaged or another model's.
    """

    def __init__(self, module: str, model: Path, data: bytes, threads: int) -> None:
        description = native_description.matching_description(model, find_manifest(str(model), data))
        run = function(load_library(model, description), f"{description.symbol}_run", model)
        run.argtypes, run.restype = (ctypes.c_void_p, ctypes.c_void_p), None
        self.input, self.output = description.input, description.output
        self._feed, self._result = (np.zeros(end.shape, end.dtype) for end in (self.input, self.output))
        self._run, self._ends = run, tuple(ctypes.c_void_p(end.ctypes.data) for end in (self._feed, self._result))

    @staticmethod
    def available(model: Path) -> bool:
        """Whether a model has a library for this machine."""
        return native_description.available(model)

    def feed(self) -> Array:
        """The array to write the input into."""
        return self._feed

    def invoke(self) -> None:
        """Run the model once."""
        self._run(*self._ends)

    def result(self) -> Array:
        """The output of the last `invoke()`."""
        return self._result
