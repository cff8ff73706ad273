"""Flatbuffers of int8 networks, written without a converter, and random numbers for them that are often extreme."""

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

BELOW_ONE, ABOVE_ONE = np.float32(1 - 2**-24), np.float32(1 + 2**-23)
_LARGEST = 2**31 - 1
_BUILTIN = schema.BuiltinOperator
# Of operators whose int8 is not of version 2.
_VERSIONS = dict.fromkeys((_BUILTIN.HARD_SWISH, _BUILTIN.PRELU, _BUILTIN.RELU_N1_TO_1, _BUILTIN.DEPTH_TO_SPACE), 1)


@dataclass
class Draw:
    """Random values, extreme ones more often than chance would have them."""

    random: np.random.Generator
    calm: bool = False  # only what the kernels for a CPU's own instructions take
    four_bits: bool = False  # weights are from -7 to 7

    def choice(self, values: Any) -> Any:
        """One of them."""
        return values[self.random.integers(len(values))]

    def zero_point(self) -> int:
        """Of an activation."""
        return int(self.choice([-128, -127, -1, 0, 1, 126, 127, self.random.integers(-128, 128)]))

    def scale(self, least: int, most: int) -> np.float32:
        """A power of two, its neighbours, or anything between two powers."""
        fraction = self.choice([np.float32(1), BELOW_ONE, ABOVE_ONE, np.float32(self.random.uniform(1, 2))])
        return np.float32(fraction * np.float32(2.0 ** self.random.integers(least, most + 1)))

    def weights(self, *shape: int) -> np.ndarray:
        """Of a channel: of all sizes, or few and small, so that sums move in small steps."""
        if self.four_bits:
            least, most = self.choice([(-7, 8), (-7, -6), (7, 8), (-1, 2)])
            return self.random.integers(least, most, shape).astype(np.int8)
        least, most = self.choice([(-127 if self.calm else -128, 128), (-127, 128), (-1, 2), (0, 2), (0, 1)])
        return self.random.integers(least, most, shape).astype(np.int8)

    def bias(self, multiplier: float) -> int:
        """Beside a place where the output rounds, or anywhere in 32 bits."""
        step = self.random.integers(-140, 140) + self.choice([0.0, 0.5])
        beside = step / multiplier + self.choice([0, 0, 0, -1, 1])
        anywhere = self.choice([0, _LARGEST, -_LARGEST, self.random.integers(-(2**31), 2**31)])
        end = 2**29 if self.calm else _LARGEST
        return int(np.clip(self.choice([beside, beside, beside, anywhere]), -end, end))


class Builder:
    """A flatbuffer of one input, layers behind one another, and one output."""

    def __init__(self, shape: tuple[int, ...], scale: float, zero_point: int) -> None:
        self.tensors: list[Any] = []
        self.buffers = [schema.BufferT()]
        self.ops: list[Any] = []
        self.codes: list[int] = []
        self.output = self.tensor(shape, [scale], zero_point)

    def tensor(self, shape: tuple[int, ...], scales: Any, zero_point: int = 0, data: Any = None, axis: int = 0) -> int:
        """Add a tensor, int8 unless its data is int32; its place."""
        entry, quantization = schema.TensorT(), schema.QuantizationParametersT()
        entry.name, entry.shape = f"t{len(self.tensors)}".encode(), np.array(shape, np.int32)
        entry.type = schema.TensorType.INT8
        if data is not None:
            stored = schema.BufferT()
            stored.data = np.frombuffer(data.tobytes(), np.uint8)
            entry.buffer = len(self.buffers)
            self.buffers.append(stored)
            entry.type = schema.TensorType.INT32 if data.dtype == np.int32 else schema.TensorType.INT8
        if len(scales):
            quantization.scale = np.array(scales, np.float32)
            quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
            quantization.quantizedDimension = axis
            entry.quantization = quantization
        self.tensors.append(entry)
        return len(self.tensors) - 1

    def op(self, kind: str, inputs: list[int], shape: tuple[int, ...], scale: float, zero_point: int, **options: Any):
        """Add an operator behind the others; its options are named after it, as the schema has them."""
        operator = schema.OperatorT()
        code = getattr(_BUILTIN, kind)
        if code not in self.codes:
            self.codes.append(code)
        self.output = self.tensor(shape, [scale], zero_point)
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([self.output], np.int32)
        if name := options.pop("options", None):
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = getattr(schema, f"{name}T")()
        for option, value in options.items():
            setattr(operator.builtinOptions, option, value)
        self.ops.append(operator)
        return self

    def flatbuffer(self) -> bytes:
        """The file."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self.tensors, self.ops
        graph.inputs, graph.outputs = np.array([0], np.int32), np.array([self.output], np.int32)
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, []
        for code in self.codes:
            operator_code = schema.OperatorCodeT()
            operator_code.builtinCode, operator_code.deprecatedBuiltinCode = code, code
            operator_code.version = _VERSIONS.get(code, 2)
            model.operatorCodes.append(operator_code)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
