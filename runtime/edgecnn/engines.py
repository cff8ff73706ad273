"""The three engines, each loaded on demand, behind one shape: `input`, `output`, `feed()`, `invoke()`, `result()`."""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tensor:
    """One end of a model. A real value is (stored - zero_point) * scale where the dtype is an integer."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 1.0
    zero_point: int = 0


class Engine(Protocol):
    """A model, loaded. Write the input into `feed()`, call `invoke()`, read `result()` before the next call."""

    input: Tensor
    output: Tensor

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
        self._interpreter.allocate_tensors()
        taken, given = _only(self._interpreter.get_input_details(), self._interpreter.get_output_details())
        self.input, self.output = _tflite_tensor(taken), _tflite_tensor(given)
        self.feed = self._interpreter.tensor(taken["index"])
        self.result = self._interpreter.tensor(given["index"])
        self.invoke = self._interpreter.invoke


def _only(inputs: list[Any], outputs: list[Any]) -> tuple[Any, Any]:
    """The one input and the one output of a classifier."""
    if len(inputs) != 1 or len(outputs) != 1:
        ends = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise EdgecnnError(f"the model has {ends}; a classifier has one of each")
    return inputs[0], outputs[0]


def _tflite_tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    shape = tuple(int(side) for side in details["shape"])
    return Tensor(shape, np.dtype(details["dtype"]), scale or 1.0, zero_point)


class OnnxEngine:
    """An ONNX Runtime session on the CPU."""

    def __init__(self, module: str, data: bytes, threads: int) -> None:
        onnxruntime = importlib.import_module(module)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        taken, given = _only(self._session.get_inputs(), self._session.get_outputs())
        self.input, self.output = _onnx_tensor(taken), _onnx_tensor(given)
        self._feed = np.zeros(self.input.shape, self.input.dtype)
        self._feeds, self._names = {taken.name: self._feed}, [given.name]
        self._result: Array = np.zeros(self.output.shape, self.output.dtype)

    def feed(self) -> Array:
        """The array to write the input into."""
        return self._feed

    def invoke(self) -> None:
        """Run the model once."""
        (self._result,) = self._session.run(self._names, self._feeds)

    def result(self) -> Array:
        """The output of the last `invoke()`."""
        return self._result


def _onnx_tensor(node: Any) -> Tensor:
    names = {"float": "float32", "double": "float64"}
    name = node.type.removeprefix("tensor(").removesuffix(")")
    shape = tuple(side if isinstance(side, int) else 1 for side in node.shape)  # an open batch is run with 1
    return Tensor(shape, np.dtype(names.get(name, name)))


@dataclass(frozen=True)
class EngineKind:
    """An engine that edgecnn knows: what it runs and what to install."""

    name: str  # also the name of the extra
    format: str
    module: str
    package: str
    load: type[TfliteEngine] | type[OnnxEngine]

    @property
    def installed(self) -> bool:
        """Whether the engine's package can be found; it is not imported."""
        return importlib.util.find_spec(self.module.split(".")[0]) is not None


# In the order in which `auto` tries them.
ENGINES = {
    kind.name: kind
    for kind in (
        EngineKind("litert", "tflite", "ai_edge_litert.interpreter", "ai-edge-litert", TfliteEngine),
        EngineKind("tflite", "tflite", "tflite_runtime.interpreter", "tflite-runtime", TfliteEngine),
        EngineKind("onnx", "onnx", "onnxruntime", "onnxruntime", OnnxEngine),
    )
}


def engines_for(model_format: str, source: str) -> list[str]:
    """Names of the installed engines that run files of this format, best first.

    Raises:
        EdgecnnError: no engine runs the format, or none that does is installed.
    """
    able = [kind for kind in ENGINES.values() if kind.format == model_format]
    if not able:
        raise EdgecnnError(f"{source} is a {model_format} model, for training: convert it (python -m convert.tflite)")
    installed = [kind.name for kind in able if kind.installed]
    if not installed:
        raise EdgecnnError(
            f"no engine for {source} is installed: pip install {able[0].package} (or {_cures(able[1:])})"
        )
    return installed


def load_engine(name: str, data: bytes, model_format: str, source: str, threads: int) -> tuple[str, Engine]:
    """Load a model into the engine called `name`, or for `auto` into the first installed one that runs it.

    Returns:
        The engine's name and the engine.

    Raises:
        EdgecnnError: the engine is unknown, not installed, or cannot run this file.
    """
    if threads < 1:
        raise EdgecnnError(f"threads is {threads}: give 1 or more")
    names = engines_for(model_format, source) if name == "auto" else [_chosen(name, model_format, source).name]
    reasons = []
    for each in names:
        kind = ENGINES[each]
        try:
            return each, kind.load(kind.module, data, threads)
        except Exception as error:  # engines raise whatever they like
            reasons.append(f"{each}: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}")
    others = [kind.name for kind in ENGINES.values() if kind.format == model_format and kind.name not in names]
    hint = f"; engines that may: {', '.join(others)}" if others else ""
    raise EdgecnnError(f"{source} cannot be run ({'; '.join(reasons)}){hint}")


def _chosen(name: str, model_format: str, source: str) -> EngineKind:
    if name not in ENGINES:
        raise EdgecnnError(f"there is no engine {name!r}: choose auto, {', '.join(ENGINES)}")
    kind = ENGINES[name]
    if kind.format != model_format:
        able = [each.name for each in ENGINES.values() if each.format == model_format]
        cure = f"use {' or '.join(able)}" if able else "convert it first (python -m convert.tflite)"
        raise EdgecnnError(f"engine {name!r} runs .{kind.format} files, and {source} is {model_format}: {cure}")
    if not kind.installed:
        raise EdgecnnError(f"engine {name!r} is not installed: pip install {kind.package} (the extra '{name}')")
    return kind


def _cures(kinds: list[EngineKind]) -> str:
    return " or ".join(f"{kind.package}" for kind in kinds)
