"""Bounds of values from outside: a command line, a call of the library, a file.

A file is hostile input even under a valid seal, since a seal is a hash that anybody can make. Each function returns the
value, or raises an EdgecnnError that says what was wrong without repeating all of it.
"""

import contextlib
import json
import math
from collections.abc import Iterable, Sized
from operator import index
from typing import Any, TypeVar

from edgecnn.errors import EdgecnnError

_Counted = TypeVar("_Counted", bound=Sized)

TEXT = 256  # characters of a label, a name, a version
ITEMS = 10_000  # labels, and items of any other list
DOCUMENT = 2**24  # bytes of JSON: ten thousand labels of the longest kind, and room
LARGEST = 1e9  # number, if no other bound is named
SIDE, VALUES = 2**15, 2**26  # pixels of an image's side; values of an image, or of a tensor at a model's end
_UNBOUNDED = 2**63  # no whole number is larger
_DIGITS = 20  # of a whole number in JSON: Python takes the time of their square

# Control characters, line and paragraph separators, and what turns the direction of the text around it (Unicode
# TR36, section 3.4; "Trojan Source", CVE-2021-42574). Joiners stay: names in Persian, Hindi and emoji need them.
_RANGES = ((0, 32), (127, 160), (0x2028, 0x202F), (0x2066, 0x206A))
CONTROL = frozenset(chr(code) for first, end in _RANGES for code in range(first, end))


def text(value: str, what: str = "a text", most: int = TEXT) -> str:
    """A line of text, at most `most` characters, that does nothing to a terminal."""
    if type(value) is not str:
        raise EdgecnnError(f"{what} is {short(value)}, not a text")
    if len(value) > most:
        raise EdgecnnError(f"{what} has {len(value):,} characters, at most {most:,} are read: {short(value)}")
    if not value.isascii() and _surrogates(value):
        raise EdgecnnError(f"{what} is not UTF-8: {short(value)}")
    if not CONTROL.isdisjoint(value):
        raise EdgecnnError(f"{what} holds control characters: {short(value)}")
    return value


def host(value: str, what: str) -> str:
    """A name or an address of a machine: each part between its dots has 1 to 63 characters. Source: RFC 1035, 2.3.4."""
    try:
        text(value, what).encode("idna")  # as a resolver would, whose error is no OSError
    except UnicodeError:
        raise EdgecnnError(f"{what} {short(value)} is no name of a machine") from None
    return value


def _surrogates(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def number(value: Any, what: str = "", least: float = -LARGEST, most: float = LARGEST) -> float:
    """A number from `least` to `most`, neither NaN nor infinite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
        raise _misfit(value, what, f"a number from {least:g} to {most:g}")
    return value


def whole(value: Any, what: str = "", least: int = 0, most: int = _UNBOUNDED) -> int:
    """A whole number from `least` to `most`, of Python or numpy, as Python's int."""
    with contextlib.suppress(TypeError):  # it is no whole number
        if not isinstance(value, bool) and least <= index(value) <= most:
            return index(value)
    bound = f"of {least} or more" if most == _UNBOUNDED else f"from {least} to {most:,}"
    raise _misfit(value, what, f"a whole number {bound}")


def _misfit(value: object, what: str, wanted: str) -> EdgecnnError:
    return EdgecnnError(f"{what} is {short(value)}, not {wanted}" if what else f"{short(value)} is not {wanted}")


def items(values: _Counted, what: str, most: int = ITEMS) -> _Counted:
    """A list, or a dict, of at most `most` items."""
    if len(values) > most:
        raise EdgecnnError(f"{what} has {len(values):,} items, at most {most:,} are read")
    return values


def choice(value: str, what: str, choices: Iterable[str]) -> str:
    """One of the choices."""
    if value not in choices:
        raise EdgecnnError(f"{what} is {short(value)}, not one of {', '.join(choices)}")
    return value


def short(value: object, most: int = 60) -> str:
    """A value for an error's line: quoted, escaped and cut."""
    shown = repr(value[: most + 1] if isinstance(value, (str, bytes, list)) else value)
    return shown if len(shown) <= most else f"{shown[:most]}…"


def parsed(data: bytes | str, what: str = "it") -> Any:
    """JSON of a file, without NaN and infinities, endless digits or nests.

    Raises:
        ValueError: it is no JSON.
        EdgecnnError: it is beyond these bounds.
    """
    if len(data) > DOCUMENT:
        raise EdgecnnError(f"{what} has {len(data):,} bytes, at most {DOCUMENT:,} are read")
    try:
        return json.loads(data, parse_int=_integer, parse_float=_real, parse_constant=_real)
    except RecursionError:
        raise EdgecnnError(f"{what} nests too deep") from None


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise EdgecnnError(f"a number has {len(digits):,} digits")
    return int(digits)


def _real(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise EdgecnnError(f"a number is {short(digits)}")
    return value
