"""The least time that a network can take on this CPU: its multiply-accumulates at the peak, its bytes at full speed."""

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

_COPIES = 300


@dataclass(frozen=True)
class Work:
    """What one inference of an int8 `.tflite` has to do, whatever the engine."""

    operators: int
    macs: dict[str, int]  # multiply-accumulates by kind of operator, as the file has them
    needed_macs: int  # without those whose results a pooling drops
    weight_bytes: int
    activation_bytes: int  # read and written by all operators

    @property
    def total_macs(self) -> int:
        """Multiply-accumulates of all operators."""
        return sum(self.macs.values())


@dataclass(frozen=True)
class Floor:
    """The least microseconds of an inference on one core."""

    arithmetic_us: float | None  # None if the CPU's peak is not known
    memory_us: float

    @property
    def us(self) -> float:
        """The larger of the two: arithmetic and memory can overlap."""
        return max(self.arithmetic_us or 0.0, self.memory_us)


def work_of(flatbuffer: bytes, needed_macs: int | None = None) -> Work:
    """Count what the operators of a `.tflite` do, for one image.

    Args:
        flatbuffer: the file.
        needed_macs: multiply-accumulates of its C, which computes nothing that a pooling drops; all if there is no C.
    """
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
    graph = model.subgraphs[0]
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    constants = {n for n, tensor in enumerate(graph.tensors) if model.buffers[tensor.buffer].data is not None}
    macs: dict[str, int] = {}
    activations = 0
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex]
        kind = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        shapes = [_shape(graph.tensors[place]) if place >= 0 else () for place in operator.inputs]
        name, count = _macs(kind, shapes, _shape(graph.tensors[operator.outputs[0]]))
        if count:
            macs[name] = macs.get(name, 0) + count
        ends = [*(place for place in operator.inputs if place >= 0 and place not in constants), *operator.outputs]
        activations += 0 if kind == "RESHAPE" else sum(_bytes(graph.tensors[place]) for place in ends)
    weights = sum(_bytes(graph.tensors[place]) for place in constants)
    return Work(len(graph.operators), macs, needed_macs or sum(macs.values()), weights, activations)


def _macs(kind: str, inputs: list[tuple[int, ...]], output: tuple[int, ...]) -> tuple[str, int]:
    """The kind of arithmetic of an operator, and its multiply-accumulates."""
    if kind == "CONV_2D":
        name = "pointwise" if inputs[1][1:3] == (1, 1) else "convolution"
        return name, math.prod(output) * math.prod(inputs[1][1:])
    if kind == "DEPTHWISE_CONV_2D":
        return "depthwise", math.prod(output) * math.prod(inputs[1][1:3])
    return ("dense", math.prod(inputs[1])) if kind == "FULLY_CONNECTED" else ("", 0)


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(side) for side in tensor.shape)


def _bytes(tensor: Any) -> int:
    """Bytes of a tensor. In a full-int8 model biases and sizes are int32, all else is int8."""
    width = {0: 4, 2: 4, 4: 8, 7: 2}.get(tensor.type, 1)  # float32, int32, int64, int16 of the schema's TensorType
    return width * math.prod(_shape(tensor))


def floor(work: Work, peak_per_ns: float | None, bytes_per_ns: float) -> Floor:
    """The least time of one inference on one core.

    Args:
        work: of the network.
        peak_per_ns: int8 multiply-accumulates a nanosecond, by benchmarks.peak.
        bytes_per_ns: read and written, by `bandwidth`.
    """
    arithmetic = work.needed_macs / peak_per_ns / 1000 if peak_per_ns else None
    return Floor(arithmetic, (work.weight_bytes + work.activation_bytes) / bytes_per_ns / 1000)


def bandwidth(size: int) -> float:
    """Bytes a nanosecond that this core reads and writes in buffers of so many bytes: the best of many copies."""
    source, copy = np.zeros(max(size // 2, 1), np.uint8), np.ones(max(size // 2, 1), np.uint8)
    best = math.inf
    for _ in range(_COPIES):
        start = time.perf_counter_ns()
        np.copyto(copy, source)
        best = min(best, time.perf_counter_ns() - start)
    return 2 * len(source) / best


def words(work: Work, least: Floor, engine: str, call_us: float) -> str:
    """What limits a network, in a sentence: the floor, and how far the fastest engine's call is above it."""
    shares = ", ".join(f"{name} {count / work.total_macs:.0%}" for name, count in sorted(work.macs.items(), key=_last))
    arithmetic = f"{least.arithmetic_us:.1f} us" if least.arithmetic_us is not None else "unknown"
    moved = work.weight_bytes + work.activation_bytes
    limit = "arithmetic" if (least.arithmetic_us or 0) >= least.memory_us else "memory"
    dropped = work.total_macs - work.needed_macs
    without = f", without {dropped / 1e6:.2f} M that pooling drops," if dropped else ""
    return (
        f"{limit} sets the floor: {work.needed_macs / 1e6:.2f} M multiply-accumulates ({shares}){without} take"
        f" {arithmetic} at the peak, {moved / 1000:,.0f} kB of weights and activations {least.memory_us:.1f} us;"
        f" {engine} takes {call_us:.1f} us, {call_us / least.us:.1f} times the floor, for {work.operators} operators"
    )


def _last(pair: tuple[str, int]) -> int:
    return -pair[1]
