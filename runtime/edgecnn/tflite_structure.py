"""Checks the structure of a `.tflite` before an engine sees it: engines trust every offset and index in it.

Tables, lists and buffers lie within the file; a tensor's shape fits its buffer, and its quantization its shape; all
operators are ones that classifiers consist of, and read only values that exist before them. This takes less than a
millisecond for the reference model. `edgecnn.model_opening` catches files that crash an engine in spite of this.
"""

import math
import struct
from typing import Any

from edgecnn.errors import EdgecnnError
from edgecnn.flatbuffer import Flatbuffer
from edgecnn.tflite_schema import (
    BUFFER,
    METADATA,
    MODEL,
    OPERATOR,
    OPERATOR_CODE,
    OPERATORS,
    OPTIONAL_FROM,
    QUANTIZATION,
    RANGES,
    SIGNATURE,
    SUBGRAPH,
    TENSOR,
    TENSOR_MAP,
    WIDTHS,
)

_VERSION = 3  # of the schema
_AXES, _BYTES, _STEP = 8, 2**31, 2**16  # of a tensor; of all tensors together; the most of a stride or a filter's side
_LIMITS = {"P": range(1, _STEP), "D": range(1, _STEP), "A": range(6), "W": range(2)}  # of an operator's options


def check_tflite(source: str, data: bytes) -> None:
    """Check the structure of a `.tflite`.

    Raises:
        EdgecnnError: something in it leaves the file or contradicts itself, or it holds what no classifier needs.
    """
    try:
        _check_model(Flatbuffer(data))
    except (ValueError, struct.error, IndexError, OverflowError) as error:
        raise EdgecnnError(f"{source} is damaged ({error}): copy or make it again") from None


def _check_model(file: Flatbuffer) -> None:
    version, codes, graphs, _, buffers, _, metadata, signatures, *_ = file.fields(file.root(), MODEL)
    if version != _VERSION or not graphs:
        raise ValueError(f"version {version} of the format, {len(graphs)} graphs")
    sizes = [_size(file, buffer) for buffer in buffers]
    operators = [_operator_code(file, code) for code in codes]
    tensors = [_check_graph(file, graph, operators, sizes) for graph in graphs]
    for entry in metadata:
        _check_index(file.fields(entry, METADATA)[1], len(buffers), "a buffer")
    for signature in signatures:
        inputs, outputs, _, _, graph = file.fields(signature, SIGNATURE)
        for end in inputs + outputs:
            _check_index(file.fields(end, TENSOR_MAP)[1], tensors[graph], "a tensor")


def _check_index(index: int, count: int, what: str) -> None:
    if not 0 <= index < count:
        raise ValueError(f"{what} {index} of {count}")


def _size(file: Flatbuffer, buffer: int) -> int:
    """Bytes of a buffer."""
    (_, size), offset, _ = file.fields(buffer, BUFFER)
    if offset > 1:  # 1 is a place held for one that was never filled
        raise ValueError("a buffer outside of the flatbuffer")
    return int(size)


def _operator_code(file: Flatbuffer, at: int) -> int:
    old, _, _, code = file.fields(at, OPERATOR_CODE)
    code = max(code, old if old < 128 else old - 256)
    if code not in OPERATORS:
        raise ValueError(f"operator {code} of TFLite's BuiltinOperator is none that classifiers consist of")
    return int(code)


def _check_graph(file: Flatbuffer, at: int, codes: list[int], sizes: list[int]) -> int:
    """Check a graph.

    Returns:
        The number of its tensors.
    """
    tensors, inputs, outputs, operators, *_ = file.fields(at, SUBGRAPH)
    known = bytearray(len(tensors))  # whether a tensor's values exist when an operator reads them
    total = 0
    for number, tensor in enumerate(tensors):
        size, known[number] = _check_tensor(file, tensor, sizes)
        total += size
    if total > _BYTES:
        raise ValueError(f"tensors of {total} bytes")
    for end in inputs:
        _check_index(end, len(tensors), "an input")
        if known[end]:
            raise ValueError(f"input {end} is a constant")
        known[end] = 1
    for operator in operators:
        _check_operator(file, operator, codes, known)
    for end in outputs:
        _check_index(end, len(tensors), "an output")
        if not known[end]:
            raise ValueError(f"output {end} is never computed")
    return len(tensors)


def _check_tensor(file: Flatbuffer, at: int, sizes: list[int]) -> tuple[int, bool]:
    """Check a tensor.

    Returns:
        Its size in bytes, and whether its values exist from the beginning.
    """
    shape, kind, buffer, _, quantization, variable, _, signature, *_ = file.fields(at, TENSOR)
    if kind not in WIDTHS:
        raise ValueError(f"a tensor of type {kind}")
    if len(shape) > _AXES or len(signature) not in (0, len(shape)) or min(shape, default=0) < 0:
        raise ValueError(f"a tensor of shape {shape[: _AXES + 1]}")
    size = math.ceil(math.prod(shape) * WIDTHS[kind])
    data = sizes[buffer]
    if data and data != size:
        raise ValueError(f"a tensor of shape {shape} in {data} bytes, not {size}")
    if quantization:
        _check_quantization(file, quantization, shape, kind, bool(data))
    return size, bool(data or variable or not size)


def _check_quantization(file: Flatbuffer, at: int, shape: tuple[int, ...], kind: int, constant: bool) -> None:
    _, _, scales, zeros, details, _, axis = file.fields(at, QUANTIZATION)
    if details:
        raise ValueError("a tensor quantized in another way than by scale and zero point")
    if len(scales) > 1 and not (0 <= axis < len(shape) and len(scales) == shape[axis]):
        raise ValueError(f"{len(scales)} scales on axis {axis} of a tensor of shape {shape}")
    if len(zeros) not in ((0, 1) if len(scales) <= 1 else (1, len(scales))):
        raise ValueError(f"{len(zeros)} zero points with {len(scales)} scales")
    if scales and kind in RANGES:
        least, most = RANGES[kind]
        if not (min(scales) > 0 or (constant and min(scales) == 0)) or not math.isfinite(sum(scales)):
            raise ValueError(f"a scale of {min(scales)} to {max(scales)}")
        if zeros and not least <= min(zeros) <= max(zeros) <= most:
            raise ValueError(f"a zero point of {min(zeros)} to {max(zeros)}")


def _check_operator(file: Flatbuffer, at: int, codes: list[int], known: bytearray) -> None:
    """Check an operator, and note that its outputs exist from now on."""
    number, inputs, outputs, options_type, options, _, _, _, between, _, _, more, *_ = file.fields(at, OPERATOR)
    _check_index(number, len(codes), "an operator code")
    code = codes[number]
    name, least, wanted, row = OPERATORS[code]
    if len(inputs) < least or not outputs or more:
        raise ValueError(f"{name} with {len(inputs)} inputs and {len(outputs)} outputs")
    _check_options(file, name, (options_type, options), wanted, row)
    for place, tensor in enumerate(inputs):
        if tensor != -1:
            _check_index(tensor, len(known), f"an input of {name},")
            if not known[tensor]:
                raise ValueError(f"{name} reads tensor {tensor} before it exists")
        elif place < OPTIONAL_FROM.get(code, len(inputs)):
            raise ValueError(f"{name} has no input {place}")
    for tensor in between:
        _check_index(tensor, len(known), f"a tensor within {name},")
    for tensor in outputs:
        _check_index(tensor, len(known), f"an output of {name},")
        if known[tensor]:
            raise ValueError(f"{name} writes tensor {tensor}, which exists already")
        known[tensor] = 1


def _check_options(file: Flatbuffer, name: str, options: tuple[int, int], wanted: int, row: str) -> None:
    kind, at = options
    if not kind and not set(row) & set("PDAW"):
        return  # some converters leave out options without a meaning
    if kind != wanted or not at:
        raise ValueError(f"{name} with options of type {kind}")
    values: list[Any] = file.fields(at, row)
    for letter, value in zip(row, values, strict=False):
        if letter in _LIMITS and value not in _LIMITS[letter]:
            raise ValueError(f"{name} with an option of {value}")
