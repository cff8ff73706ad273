"""Weights of 4 bits in a `.tflite`: int8 tensors that hold -7 to 7, with the scale of 4 bits.

TFLite's converter gives each output channel the scale with which its largest weight becomes 127. Where all weights of a
channel lie on a grid of 4 bits, as `train.qat --weights 4` leaves them, the channel gets the grid's own scale here: the
same weights, in small numbers, that C packs two in a byte. The tensors stay int8, which every engine runs.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from workstation.quantization_aware import FEW_STEPS
from workstation.tflite_ranges import operator_name, packed, parsed

_LARGEST = 127
_TIE = 0.51  # a step of 8 bits may be rounded up or down
_WEIGHTED = ("CONV_2D", "FULLY_CONNECTED")  # their first axis is that of the output channels

Ints = npt.NDArray[Any]


def with_grids(flatbuffer: bytes) -> bytes:
    """A full-int8 model, with small numbers where the weights of a convolution or a dense layer lie on a grid."""
    model = parsed(flatbuffer)
    graph = model.subgraphs[0]
    readers: dict[int, list[Any]] = {}
    for operator in graph.operators:
        if operator_name(model, operator) in _WEIGHTED:
            readers.setdefault(int(operator.inputs[1]), []).append(operator)
    for place, operators in readers.items():
        steps = _steps(model, graph.tensors[place])
        if steps is not None:
            _shrink(model, graph.tensors[place], steps)
            for bias in {int(operator.inputs[2]) for operator in operators if len(operator.inputs) > 2} - {-1}:
                _rescale_bias(model, graph.tensors[bias], steps)
    _drop_unread(model)
    return packed(model)


def grid_steps(weights: Ints) -> Ints | None:
    """How many steps of a grid the largest weight of each channel is; None where one lies on no grid of 4 bits.

    Args:
        weights: int8, (channels, ...), the largest of each channel being 127, or all of them 0.
    """
    flat = weights.reshape(len(weights), -1).astype(np.float64)
    steps = np.zeros(len(flat), np.int64)
    for most in range(FEW_STEPS, 0, -1):
        exact = np.rint(flat * most / _LARGEST) * _LARGEST / most
        steps[(np.abs(exact - flat) <= _TIE).all(axis=1)] = most
    steps[~flat.any(axis=1)] = _LARGEST  # zeros keep their scale
    return steps if steps.all() else None


def _steps(model: Any, tensor: Any) -> Ints | None:
    from ai_edge_litert import schema_py_generated as schema

    scales = tensor.quantization.scale if tensor.quantization else None
    if tensor.type != schema.TensorType.INT8 or scales is None or len(scales) != tensor.shape[0]:
        return None
    return grid_steps(_values(model, tensor, np.int8))


def _values(model: Any, tensor: Any, kind: Any) -> Ints:
    array = np.frombuffer(bytes(model.buffers[tensor.buffer].data), kind)
    return array.reshape(tensor.shape)


def _shrink(model: Any, tensor: Any, steps: Ints) -> None:
    """Let weights be steps of the grid."""
    weights = _values(model, tensor, np.int8)
    by_channel = steps.reshape(-1, *[1] * (weights.ndim - 1))
    _store(model, tensor, np.rint(weights * by_channel / _LARGEST).astype(np.int8))
    tensor.quantization.scale = _coarser(tensor.quantization.scale, steps)


def _rescale_bias(model: Any, tensor: Any, steps: Ints) -> None:
    """Let a bias have the scale of the sums, which is that of the input times that of the weights."""
    bias = _values(model, tensor, np.int32)
    _store(model, tensor, np.rint(bias * (steps / _LARGEST)).astype(np.int32))
    tensor.quantization.scale = _coarser(tensor.quantization.scale, steps)


def _coarser(scales: Any, steps: Ints) -> list[float]:
    return [float(np.float32(scale)) for scale in np.asarray(scales, np.float64) * _LARGEST / steps]


def _store(model: Any, tensor: Any, values: Ints) -> None:
    """In a buffer of its own, since others may read the old one."""
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(values.tobytes(), np.uint8)
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)


def _drop_unread(model: Any) -> None:
    read = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors} | set(_of_metadata(model))
    for place, buffer in enumerate(model.buffers):
        if place not in read:
            buffer.data = None


def _of_metadata(model: Any) -> Iterator[int]:
    return (int(entry.buffer) for entry in model.metadata or ())
