"""An engine for tests: a row of `ENGINES` and this file are all it takes (see test_engines.py)."""

from pathlib import Path

import numpy as np

from edgecnn.engines import EngineKind
from edgecnn.interpreters import Array, TensorSpec

TOY = EngineKind(
    name="toy", format="onnx", module="toy_engine", loader="toy_engine:ToyEngine", package="toy", most_threads=2
)


class ToyEngine:
    """It answers with the first two values of its input."""

    def __init__(self, module: str, model: Path, data: bytes, threads: int) -> None:
        self.input = TensorSpec((1, 2, 2, 1), np.dtype(np.float32))
        self.output = TensorSpec((1, 2), np.dtype(np.float32))
        self._feed, self._result = (np.zeros(end.shape, end.dtype) for end in (self.input, self.output))

    def feed(self) -> Array:
        return self._feed

    def invoke(self) -> None:
        self._result[0] = self._feed.ravel()[:2]

    def result(self) -> Array:
        return self._result
