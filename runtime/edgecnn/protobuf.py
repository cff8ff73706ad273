"""The few lines of protobuf that an `.onnx` needs. A field is a varint key (number << 3 | wire type) and its value.

Source: protobuf's documentation, "Encoding".
"""

from collections.abc import Iterator

_BITS = 63  # of a varint, before its last seven
_FIXED = {1: 8, 5: 4}  # bytes, by wire type

Value = int | memoryview  # of a varint; of a field with a length, or of a fixed size
Message = bytes | memoryview


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def field(number: int, value: bytes) -> bytes:
    """A field that has a length: a text, bytes, a message."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fields(data: Message) -> Iterator[tuple[int, Value]]:
    """Number and value of each field of a message; nothing is copied.

    Raises:
        ValueError, IndexError: `data` is no message.
    """
    view, at = memoryview(data), 0
    while at < len(view):
        key, at = _read_varint(view, at)
        wire, number = key & 7, key >> 3
        if wire == 0:
            value, at = _read_varint(view, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _read_varint(view, at)
        elif wire in _FIXED:
            size = _FIXED[wire]
        else:
            raise ValueError(f"wire type {wire}")
        at += size
        if at > len(view):
            raise ValueError("a field reaches past the end")
        yield number, view[at - size : at]


def numbers(value: Value, signed: bool = True) -> list[int]:
    """The numbers of a repeated field, which holds one of them or a packed list."""
    unsigned, at = [value] if isinstance(value, int) else [], 0
    while isinstance(value, memoryview) and at < len(value):
        number, at = _read_varint(value, at)
        unsigned.append(number)
    return [number - 2**64 if signed and number >= 2**63 else number for number in unsigned]


def message(value: Value) -> memoryview:
    """The value of a field that must be a message, or bytes.

    Raises:
        ValueError: it is a number.
    """
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def whole(value: Value) -> int:
    """The value of a field that must be a number.

    Raises:
        ValueError: it is a message.
    """
    if isinstance(value, memoryview):
        raise ValueError("a message where a number belongs")
    return value - 2**64 if value >= 2**63 else value


def _read_varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > _BITS:
            raise ValueError("a varint of more than 64 bits")
    return value | data[at] << shift, at + 1
