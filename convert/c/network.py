"""A quantized `.tflite` as plain values: tensors, operators, one input, one output."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError

Array = npt.NDArray[Any]
_DTYPES = {0: np.float32, 2: np.int32, 3: np.uint8, 4: np.int64, 9: np.int8}  # schema.TensorType


@dataclass(frozen=True)
class NetworkTensor:
    """A tensor of the file. A real value is (stored - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    dtype: "np.dtype[Any] | None"  # nothing: one that C knows nothing of
    scales: tuple[float, ...]  # one, or one an output channel
    zero_point: int
    constant: Array | None

    @property
    def scale(self) -> np.float32:
        """The one scale, as TFLite stores it: float32."""
        return np.float32(self.scales[0])


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator: its inputs and outputs by their place among the tensors, its options as the schema names them."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """A network with one input and one output, its operators in the order in which they run."""

    tensors: Sequence[NetworkTensor]
    operators: Sequence[Operator]
    input: int
    output: int


def read_network(source: str, flatbuffer: bytes) -> Network:
    """Read a `.tflite`.

    A batch that is left open is one of 1, as TFLite runs it. Operators that only work out shapes are left out. So are
    those that make int8 of an input of uint8 and uint8 of the output: C takes and gives int8, 128 less.

    Raises:
        EdgecnnError: it is damaged, or takes more than one image.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
        (graph,) = model.subgraphs
        names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        (first,), (last,) = graph.inputs, graph.outputs
        _check_input(source, graph.tensors[first])
        operators = [_operator(names.get(codes[stored.opcodeIndex], "?"), stored) for stored in graph.operators]
        tensors = [_tensor(stored, model.buffers) for stored in graph.tensors]
        return _with_int8_ends(Network(tensors, _reaching(operators, int(last)), int(first), int(last)))
    except EdgecnnError:
        raise
    except Exception as error:  # a flatbuffer is read without checks: damage shows as anything
        raise EdgecnnError(f"{source} cannot be read as a classifier ({type(error).__name__}: {error})") from None


def _check_input(source: str, stored: Any) -> None:
    """One image of a size that is known; its shape counts, whatever the signature leaves open of the batch."""
    shape = stored.shape.tolist() if stored.shape is not None else []
    signature = stored.shapeSignature.tolist() if stored.shapeSignature is not None else shape
    is_open = any(side == -1 and known < 2 for side, known in zip(signature[1:], shape[1:], strict=False))
    if is_open or min(shape, default=0) < 1:
        raise EdgecnnError(f"{source} leaves open how large its input is, {signature}: export it with a fixed size")
    if shape[0] != 1:
        raise EdgecnnError(f"{source} takes {shape[0]} images at once, C takes one: export it with a batch of 1")


def _operator(kind: str, stored: Any) -> Operator:
    inputs = tuple(map(int, stored.inputs if stored.inputs is not None else ()))
    options = vars(stored.builtinOptions) if stored.builtinOptions is not None else {}
    # The shape that a RESHAPE gives stands in its output, whatever works it out.
    return Operator(kind, inputs[:1] if kind == "RESHAPE" else inputs, tuple(map(int, stored.outputs)), options)


def _reaching(operators: Sequence[Operator], output: int) -> list[Operator]:
    """The operators whose values reach the output."""
    wanted, kept = {output}, []
    for operator in reversed(operators):
        if not wanted.isdisjoint(operator.outputs):
            wanted.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]


def _with_int8_ends(network: Network) -> Network:
    """The network without the operators at its ends that only add or subtract 128."""
    operators, first, last = list(network.operators), network.input, network.output
    readers = [operator for operator in operators if first in operator.inputs]
    if len(readers) == 1 and _only_shifts(network, readers[0]):
        operators.remove(readers[0])
        (first,) = readers[0].outputs
    writer = next((operator for operator in operators if last in operator.outputs), None)
    if writer and _only_shifts(network, writer):
        operators.remove(writer)
        (last,) = writer.inputs
    return replace(network, operators=operators, input=first, output=last)


def _only_shifts(network: Network, operator: Operator) -> bool:
    """Whether an operator only makes int8 of uint8, or uint8 of int8."""
    if operator.kind != "QUANTIZE":
        return False
    ends = [network.tensors[place] for place in (operator.inputs[0], operator.outputs[0])]
    signed = [tensor.zero_point - (128 if tensor.dtype == np.uint8 else 0) for tensor in ends]
    is_both = {tensor.dtype for tensor in ends} == {np.dtype(np.uint8), np.dtype(np.int8)}
    return is_both and ends[0].scales == ends[1].scales and signed[0] == signed[1]


def _tensor(stored: Any, buffers: Sequence[Any]) -> NetworkTensor:
    name, shape = stored.name.decode(), tuple(map(int, stored.shape if stored.shape is not None else ()))
    dtype = np.dtype(_DTYPES[stored.type]) if stored.type in _DTYPES else None
    scales, zero_point = _quantization(name, stored.quantization, dtype)
    content = buffers[stored.buffer].data
    constant = None
    if dtype is not None and content is not None and len(content):
        constant = np.frombuffer(np.asarray(content, np.uint8).tobytes(), dtype).reshape(shape)
    return NetworkTensor(name, shape, dtype, scales, zero_point, constant)


def _quantization(name: str, stored: Any, dtype: "np.dtype[Any] | None") -> tuple[tuple[float, ...], int]:
    """Scales and zero point."""
    if stored is None or stored.scale is None or not len(stored.scale):
        return (1.0,), 0
    scales, zero_point = tuple(map(float, stored.scale)), int(stored.zeroPoint[0])
    least, most = (0, 255) if dtype == np.uint8 else (-128, 127)
    if not all(0 < scale < math.inf for scale in scales) or not least <= zero_point <= most:
        raise ValueError(f"{name!r} has a scale of {min(scales)} and a zero point of {zero_point}")
    return scales, zero_point
