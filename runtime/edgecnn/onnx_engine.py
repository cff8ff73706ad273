"""ONNX Runtime as an engine."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.interpreters import Array, TensorSpec, check_image_size, sole_ends


class OnnxEngine:
    """A model in an ONNX Runtime session on the CPU.

    Args:
        module: ONNX Runtime's.
        model: the file that `data` was read from; not read again.
        data: the model.
        threads: threads for one inference.
    """

    def __init__(self, module: str, model: Path, data: bytes, threads: int) -> None:
        onnxruntime = importlib.import_module(module)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        entry, exit_ = sole_ends(self._session.get_inputs(), self._session.get_outputs())
        check_image_size(entry.shape[1:])
        self.input = _tensor_spec(entry)
        self._feed = np.zeros(self.input.shape, self.input.dtype)
        self.output = self._output(entry, exit_)
        self._result = np.zeros(self.output.shape, self.output.dtype)
        self._binding = self._session.io_binding()  # the session reads and writes our arrays: nothing is copied
        for bind, node, array in (
            (self._binding.bind_input, entry, self._feed),
            (self._binding.bind_output, exit_, self._result),
        ):
            bind(node.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def _output(self, entry: Any, exit_: Any) -> TensorSpec:
        """The output's spec; if more than the batch is open, a run shows the shape."""
        if exit_.shape and all(isinstance(side, int) for side in exit_.shape[1:]):
            return _tensor_spec(exit_)
        (answer,) = self._session.run([exit_.name], {entry.name: self._feed})
        return TensorSpec(answer.shape, answer.dtype)

    def feed(self) -> Array:
        """The array to write the input into."""
        return self._feed

    def invoke(self) -> None:
        """Run the model once."""
        self._session.run_with_iobinding(self._binding)

    def result(self) -> Array:
        """The output of the last `invoke()`."""
        return self._result


def _tensor_spec(node: Any) -> TensorSpec:
    names = {"float": "float32", "double": "float64"}
    name = node.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(side if isinstance(side, int) else 1 for side in node.shape)  # an open batch runs as 1
    return TensorSpec(shape, np.dtype(names.get(name, name)))
