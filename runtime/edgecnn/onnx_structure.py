"""Checks the structure of an `.onnx` before an engine sees it.

Every message is whole, every tensor's shape fits its bytes, nothing lies outside of the file, and no node holds a graph
(Loop, If, Scan), which may run for ever and which no classifier needs. ONNX Runtime itself checks whether the nodes fit
together. `edgecnn.model_opening` catches the files that crash it in spite of all this.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.protobuf import Message, Value, fields, message, numbers, whole

_NODES, _AXES, _VALUES, _STEP = 100_000, 8, 2**31, 2**16  # of a graph; of a tensor; the most of a stride, a pad
_DOMAINS = (b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft")
_FROM_ONE, _FROM_BELOW = (b"kernel_shape", b"strides", b"dilations", b"group"), (b"pads", b"output_padding")
_GRAPHS = (6, 11)  # attributes that hold graphs
# Bytes of an item, by the number of a tensor's type: floats, integers, bool; then float8, int4.
_WIDTHS: dict[int, float] = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
_WIDTHS |= {17: 1, 18: 1, 19: 1, 20: 1, 21: 0.5, 22: 0.5}
_FIXED = {4: 4, 10: 8}  # bytes of an item of float_data and double_data
_VARINTS = (5, 7, 11)  # int32_data, int64_data, uint64_data

Check = Callable[[memoryview], None]


def check_onnx(source: str, data: bytes) -> None:
    """Check the structure of an `.onnx`.

    Raises:
        EdgecnnError: something in it leaves the file or contradicts itself, or it holds what no classifier needs.
    """
    try:
        _check_fields(data, {7: _check_graph, 25: _check_function})
    except (ValueError, IndexError, OverflowError) as error:
        raise EdgecnnError(f"{source} is damaged ({error}): copy or make it again") from None


def _check_fields(data: Message, checks: Mapping[int, Check], most: int = _NODES) -> None:
    """Run the check that belongs to a field's number, on every field of a message."""
    for count, (number, value) in enumerate(fields(data)):
        if count > most:
            raise ValueError(f"a message of more than {most} fields")
        if number in checks:
            checks[number](message(value))


def _check_graph(graph: memoryview) -> None:
    ends = dict.fromkeys((11, 12, 13), _check_value)
    _check_fields(graph, {1: _check_node, 5: _check_tensor, 15: _refuse_sparse, **ends})


def _check_function(function: memoryview) -> None:
    _check_fields(function, {7: _check_node})


def _refuse_sparse(_: memoryview) -> None:
    raise ValueError("a sparse tensor")


def _check_node(node: memoryview) -> None:
    """A NodeProto: its domain, its attributes."""
    kind, domain, attributes = b"", b"", []
    for number, value in fields(node):
        if number == 4:
            kind = bytes(message(value))[:40]
        elif number == 5:
            attributes.append(message(value))
        elif number == 7:
            domain = bytes(message(value))
    if domain not in _DOMAINS:
        raise ValueError(f"operator {kind!r} of domain {domain[:40]!r}")
    for attribute in attributes:
        _check_attribute(kind, attribute)


def _check_attribute(kind: bytes, attribute: memoryview) -> None:
    name, values = b"", []
    for number, value in fields(attribute):
        if number == 1:
            name = bytes(message(value))
        elif number in (3, 8):
            values += numbers(value)
        elif number in (5, 10):
            _check_tensor(message(value))
        elif number in _GRAPHS:
            raise ValueError(f"operator {kind!r} holds a graph: no classifier needs Loop, If or Scan")
    least = 1 if name in _FROM_ONE else -_STEP if name in _FROM_BELOW else None
    wrong = [value for value in values if least is not None and not least <= value < _STEP]
    if wrong:
        raise ValueError(f"operator {kind!r} with {name.decode()} of {wrong[0]}")


def _check_tensor(tensor: memoryview) -> None:
    """A TensorProto: it holds as many values as its shape says."""
    shape: list[int] = []
    kind, raw, values = 0, None, 0
    for number, value in fields(tensor):
        if number == 1:
            shape += numbers(value)
        elif number == 2:
            kind = whole(value)
        elif number == 9:
            raw = len(message(value))
        elif number in _FIXED:
            values += len(message(value)) // _FIXED[number]
        elif number in _VARINTS:
            values += _count(value)
        elif number == 13 or (number == 14 and whole(value)):
            raise ValueError("a tensor whose values are in another file")
    if kind not in _WIDTHS or len(shape) > _AXES or min(shape, default=0) < 0:
        raise ValueError(f"a tensor of type {kind} and shape {shape[: _AXES + 1]}")
    size = math.prod(shape)
    if values != size if raw is None else raw != math.ceil(size * _WIDTHS[kind]):
        raise ValueError(f"a tensor of shape {shape} with {values if raw is None else raw} values or bytes")


def _count(value: Value) -> int:
    """The number of varints in a field: the last byte of a varint has no bit 7."""
    return 1 if isinstance(value, int) else int((np.frombuffer(value, np.uint8) < 128).sum())


def _check_value(value: memoryview) -> None:
    """A ValueInfoProto: a tensor of a possible size."""
    for number, kind in fields(value):
        for form, tensor in fields(message(kind)) if number == 2 else ():
            if form in (4, 5, 8, 9):
                raise ValueError("a value that is no tensor")
            if form == 1:
                _check_shape(message(tensor))


def _check_shape(tensor: memoryview) -> None:
    """A TypeProto.Tensor: its known sides."""
    shapes = [message(value) for number, value in fields(tensor) if number == 2]
    sides = [message(side) for shape in shapes for number, side in fields(shape) if number == 1]
    known = [whole(value) for side in sides for number, value in fields(side) if number == 1]
    if len(sides) > _AXES or min(known, default=0) < 0 or math.prod(known) > _VALUES:
        raise ValueError(f"a value of shape {known[: _AXES + 1]}")
