"""Bounds of what a file may say: it is hostile input even under a valid seal, since a seal is a hash anybody can make.

Each function gives its value back, or raises an EdgecnnError that names what was wrong without repeating it whole.
"""

import json
import math
from collections.abc import Iterable, Sized
from typing import Any, TypeVar

from edgecnn.errors import EdgecnnError

_Counted = TypeVar("_Counted", bound=Sized)

TEXT = 256  # characters of a label, a name, a version
ITEMS = 10_000  # labels, and items of any other list
DOCUMENT = 2**24  # bytes of JSON: ten thousand labels of the longest kind, and room
_WHOLE = 2**63
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
    if not CONTROL.isdisjoint(value) or (not value.isascii() and _surrogates(value)):
        raise EdgecnnError(f"{what} holds control characters: {short(value)}")
    return value


def _surrogates(value: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in value)


def number(value: float, what: str = "a number", least: float = -1e9, most: float = 1e9) -> float:
    """A number that is one, within bounds."""
    if type(value) not in (int, float):
        raise EdgecnnError(f"{what} is {short(value)}, not a number")
    if not least <= value <= most:  # also where it is NaN
        raise EdgecnnError(f"{what} is {value}, not within {least:g} to {most:g}")
    return value


def whole(value: int, what: str = "a number", least: int = 0, most: int = _WHOLE) -> int:
    """A whole number within bounds; from 0 where nothing else is said."""
    if type(value) is not int:
        raise EdgecnnError(f"{what} is {short(value)}, not a whole number")
    if not least <= value <= most:
        raise EdgecnnError(f"{what} is {value}, not within {least} to {most}")
    return value


def count(values: _Counted, what: str, most: int = ITEMS) -> _Counted:
    """A list, or a dict, of at most `most` items."""
    if len(values) > most:
        raise EdgecnnError(f"{what} has {len(values):,} items, at most {most:,} are read")
    return values


def choice(value: str, what: str, choices: Iterable[str]) -> str:
    """One of the words that there are."""
    if value not in choices:
        raise EdgecnnError(f"{what} is {short(value)}, not one of {', '.join(choices)}")
    return value


def short(value: object, most: int = 60) -> str:
    """A value for an error's line: quoted, escaped and cut."""
    found = repr(value[: most + 1] if isinstance(value, (str, bytes, list)) else value)
    return found if len(found) <= most else f"{found[:most]}…"


def parsed(data: bytes | str, what: str = "it") -> Any:
    """JSON of a file, without NaN and infinities, endless digits or nests.

    Raises:
        ValueError: it is none.
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
