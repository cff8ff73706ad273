"""A full-int8 `.tflite` as plain values: tensors, operators, one input, one output."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError

Array = npt.NDArray[Any]

# The operators that C is written for, and the name of their options in TFLite's schema.
OPERATORS = {
    "CONV_2D": ("padding", "strideH", "strideW", "dilationHFactor", "dilationWFactor", "fusedActivationFunction"),
    "DEPTHWISE_CONV_2D": (
        "padding",
        "strideH",
        "strideW",
        "dilationHFactor",
        "dilationWFactor",
        "depthMultiplier",
        "fusedActivationFunction",
    ),
    "FULLY_CONNECTED": ("fusedActivationFunction",),
    "MAX_POOL_2D": ("padding", "strideH", "strideW", "filterHeight", "filterWidth", "fusedActivationFunction"),
    "AVERAGE_POOL_2D": ("padding", "strideH", "strideW", "filterHeight", "filterWidth", "fusedActivationFunction"),
    "MEAN": (),
    "ADD": ("fusedActivationFunction",),
    "MAXIMUM": (),
    "PAD": (),
    "RESHAPE": (),
    "SOFTMAX": ("beta",),
    "STRIDED_SLICE": ("beginMask", "endMask", "shrinkAxisMask", "newAxisMask", "ellipsisMask"),
    "SPACE_TO_DEPTH": ("blockSize",),
    "SPLIT": (),
}


@dataclass(frozen=True)
class Tensor:
    """A value of the network: int8, or a constant. A real value is (stored - zero_point) * scale."""

    name: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]  # one, or one an output channel
    zero_point: int
    data: Array | None  # of a constant

    @property
    def scale(self) -> np.float32:
        """The one scale, as TFLite stores it: float32."""
        return np.float32(self.scales[0])


@dataclass(frozen=True)
class Op:
    """An operator: its inputs and outputs by their place among the tensors, its options."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A network with one input and one output, its operators in the order in which they run."""

    tensors: Sequence[Tensor]
    ops: Sequence[Op]
    input: int
    output: int


def read_graph(source: str, flatbuffer: bytes) -> Graph:
    """Read a `.tflite`.

    A batch that is left open is one of 1, as TFLite runs it, and operators that only work out shapes are left out.

    Raises:
        EdgecnnError: it is damaged, computes on something else than int8, takes more than one image, or has an operator
            that C is not written for.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
        (graph,) = model.subgraphs
        names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        (taken,), (given,) = graph.inputs, graph.outputs
        _check_input(source, graph.tensors[taken])
        every = [(names.get(codes[op.opcodeIndex], "?"), op) for op in graph.operators]
        computing = _computing(every, int(given))
        kinds = [kind for kind, _ in computing]
        if strange := sorted(set(kinds) - set(OPERATORS)):
            raise EdgecnnError(f"{source} has operators that C is not written for: {', '.join(strange)}")
        tensors = [_tensor(each, model.buffers) for each in graph.tensors]
        ops = [_op(kind, op) for kind, op in computing]
        _check(source, [graph.tensors[place] for place in _computed(ops, taken)], schema.TensorType.INT8)
        return Graph(tensors, ops, int(taken), int(given))
    except EdgecnnError:
        raise
    except Exception as error:  # a flatbuffer is read without checks: damage shows as anything
        raise EdgecnnError(f"{source} cannot be read as a classifier ({type(error).__name__}: {error})") from None


def _computed(ops: Sequence[Op], taken: int) -> list[int]:
    return [int(taken), *(place for op in ops for place in op.outputs)]


def _check(source: str, tensors: Sequence[Any], int8: int) -> None:
    """Computed tensors are int8."""
    for tensor in tensors:
        name = tensor.name.decode()
        if tensor.type != int8:
            raise EdgecnnError(f"{source} is not full int8: {name!r} is not (python -m convert.tflite --quantize int8)")


def _check_input(source: str, tensor: Any) -> None:
    """One image of a size that is known; its shape counts, whatever the signature leaves open of the batch."""
    shape = tensor.shape.tolist() if tensor.shape is not None else []
    signature = tensor.shapeSignature.tolist() if tensor.shapeSignature is not None else shape
    is_open = any(side == -1 and known < 2 for side, known in zip(signature[1:], shape[1:], strict=False))
    if is_open or min(shape, default=0) < 1:
        raise EdgecnnError(f"{source} leaves open how large its input is, {signature}: export it with a fixed size")
    if shape[0] != 1:
        raise EdgecnnError(f"{source} takes {shape[0]} images at once, C takes one: export it with a batch of 1")


def _computing(every: Sequence[tuple[str, Any]], given: int) -> list[tuple[str, Any]]:
    """The operators whose values reach the output, with their kinds; of a RESHAPE the shape is known already."""
    wanted, kept = {given}, []
    for kind, op in reversed(every):
        if wanted.isdisjoint(op.outputs.tolist()):
            continue
        op.inputs = op.inputs[:1] if kind == "RESHAPE" else op.inputs
        wanted.update(op.inputs.tolist())
        kept.append((kind, op))
    return kept[::-1]


def _tensor(tensor: Any, buffers: Sequence[Any]) -> Tensor:
    shape = tuple(int(side) for side in tensor.shape) if tensor.shape is not None else ()
    quantization = tensor.quantization
    scaled = quantization is not None and quantization.scale is not None and len(quantization.scale)
    scales = tuple(float(scale) for scale in quantization.scale) if scaled else (1.0,)
    zero_point = int(quantization.zeroPoint[0]) if scaled else 0
    if not all(0 < scale < math.inf for scale in scales) or not -128 <= zero_point <= 127:
        raise ValueError(f"{tensor.name.decode()!r} has a scale of {min(scales)} and a zero point of {zero_point}")
    stored = buffers[tensor.buffer].data
    dtypes = {9: np.int8, 2: np.int32, 4: np.int64}  # schema.TensorType
    data = None
    if stored is not None and len(stored) and tensor.type in dtypes:
        data = np.frombuffer(np.asarray(stored, np.uint8).tobytes(), dtypes[tensor.type]).reshape(shape)
    return Tensor(tensor.name.decode(), shape, scales, zero_point, data)


def _op(kind: str, op: Any) -> Op:
    options = {name: getattr(op.builtinOptions, name) for name in OPERATORS[kind]}
    return Op(kind, tuple(map(int, op.inputs)), tuple(map(int, op.outputs)), options)
