"""The engine `native`: the library that `python -m convert.c --build` built from a model's C, called by ctypes."""

import ctypes
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.interpreters import Array
from edgecnn.modelfile import find_manifest
from edgecnn.native_description import available, matching_description
from edgecnn.native_library import function, load_library


class NativeEngine:
    """The library of a model. Inside it each thread has an arena of its own.

    Args:
        module: this one; not used.
        model: the `.tflite` that the library lies beside.
        data: the model.
        threads: threads for one inference.

    Raises:
        EdgecnnError: there is no library for this machine, or it is damaged or another model's.
    """

    def __init__(self, module: str, model: Path, data: bytes, threads: int) -> None:
        description = matching_description(model, find_manifest(str(model), data))
        library = load_library(model, description)
        names, count = (("run", "predict"), ()) if threads == 1 else (("run_on", "predict_on"), (threads,))
        run, predict = (function(library, f"{description.symbol}_{name}", model) for name in names)
        self.input, self.output = description.input, description.output
        self._feed, self._result = (np.zeros(end.shape, end.dtype) for end in (self.input, self.output))
        run.restype = None
        # Arrays of ctypes are the arguments that it converts fastest; the call without a frame of Python around it.
        ends = ((ctypes.c_char * end.nbytes).from_buffer(end.data) for end in (self._feed, self._result))
        self.invoke: Callable[[], None] = partial(run, *count, *ends)
        self.classify = _pixel_classifier(partial(predict, *count) if count else predict, math.prod(self.output.shape))

    @staticmethod
    def available(model: Path) -> bool:
        """Whether a model has a library for this machine."""
        return available(model)

    def feed(self) -> Array:
        """The array to write the input into."""
        return self._feed

    def result(self) -> Array:
        """The output of the last `invoke()`."""
        return self._result


def _pixel_classifier(predict: Any, size: int) -> Callable[[bytes], tuple[int, bytes]]:
    """`NativeEngine.classify` with few lookups of names: each is felt beside a call of some microseconds."""
    output = (ctypes.c_char * size)()  # ctypes passes bytes and arrays as pointers, fastest without argtypes

    def classify(pixels: bytes) -> tuple[int, bytes]:
        index: int = predict(pixels, output)
        return index, output.raw

    return classify
