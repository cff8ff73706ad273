"""The engines behind one shape: `input`, `output`, `feed()`, `invoke()`, `result()`; each imported on demand."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TensorSpec:
    """One end of a model. A real value is (stored - zero_point) * scale where the dtype is an integer."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 1.0
    zero_point: int = 0


class Engine(Protocol):
    """A model, loaded. Write the input into `feed()`, call `invoke()`, read `result()` before the next call."""

    input: TensorSpec
    output: TensorSpec

    def feed(self) -> Array:
        """The array to write the input into; do not keep it across `invoke()`."""

    def invoke(self) -> None:
        """Run the model once."""

    def result(self) -> Array:
        """The output; it is overwritten by the next `invoke()`."""


class TfliteEngine:
    """A TFLite interpreter: ai-edge-litert's or tflite-runtime's, which have the same API."""

    def __init__(self, module: str, data: bytes, threads: int) -> None:
        self._interpreter = importlib.import_module(module).Interpreter(model_content=data, num_threads=threads)
        self._take_one_image()
        self._interpreter.allocate_tensors()
        taken, given = _only(self._interpreter.get_input_details(), self._interpreter.get_output_details())
        self.input, self.output = _tflite_tensor(taken), _tflite_tensor(given)
        self.feed = self._interpreter.tensor(taken["index"])
        self.result = self._interpreter.tensor(given["index"])
        self.invoke = self._interpreter.invoke

    def _take_one_image(self) -> None:
        """Close a batch that is left open; what is open of the picture is not for us to choose."""
        for taken in self._interpreter.get_input_details():
            shape, signature = (list(map(int, taken[name])) for name in ("shape", "shape_signature"))
            sides = zip(shape[1:], signature[1:], strict=False)  # no signature is one without sides
            _check_sides([None if known < 2 and side == -1 else known for known, side in sides])
            if signature[:1] == [-1] and shape[0] != 1:
                self._interpreter.resize_tensor_input(taken["index"], [1, *shape[1:]])


def _check_sides(sides: list[Any]) -> None:
    """Refuse what leaves open how large a picture is: its sides behind the batch, open ones no integers."""
    if not all(isinstance(side, int) for side in sides):
        shown = ", ".join(str(side) if isinstance(side, int) else "?" for side in sides)
        raise EdgecnnError(
            f"the model leaves open how large its input is (batch, {shown}): export it with a fixed size"
        )


def _only(inputs: list[Any], outputs: list[Any]) -> tuple[Any, Any]:
    """The one input and the one output of a classifier."""
    if len(inputs) != 1 or len(outputs) != 1:
        ends = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise EdgecnnError(f"the model has {ends}; a classifier has one of each")
    return inputs[0], outputs[0]


def _tflite_tensor(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    shape = tuple(int(side) for side in details["shape"])
    return TensorSpec(shape, np.dtype(details["dtype"]), scale or 1.0, zero_point)


class OnnxEngine:
    """An ONNX Runtime session on the CPU."""

    def __init__(self, module: str, data: bytes, threads: int) -> None:
        onnxruntime = importlib.import_module(module)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        taken, given = _only(self._session.get_inputs(), self._session.get_outputs())
        _check_sides(taken.shape[1:])
        self.input = _onnx_tensor(taken)
        self._feed = np.zeros(self.input.shape, self.input.dtype)
        self.output = self._output(taken, given)
        self._result = np.zeros(self.output.shape, self.output.dtype)
        self._binding = self._session.io_binding()  # the session reads and writes our arrays: nothing is copied
        for bind, node, array in (
            (self._binding.bind_input, taken, self._feed),
            (self._binding.bind_output, given, self._result),
        ):
            bind(node.name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def _output(self, taken: Any, given: Any) -> TensorSpec:
        """The output; a run tells its shape where more than the batch is left open."""
        if given.shape and all(isinstance(side, int) for side in given.shape[1:]):
            return _onnx_tensor(given)
        (answer,) = self._session.run([given.name], {taken.name: self._feed})
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


def _onnx_tensor(node: Any) -> TensorSpec:
    names = {"float": "float32", "double": "float64"}
    name = node.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(side if isinstance(side, int) else 1 for side in node.shape)  # an open batch is run with 1
    return TensorSpec(shape, np.dtype(names.get(name, name)))


# By the format of the files they run.
LOADERS: dict[str, Callable[[str, bytes, int], Engine]] = {"tflite": TfliteEngine, "onnx": OnnxEngine}
