"""Types of options for argparse, the same for every command; a value that does not fit gets a line that says why.

>>> from edgecnn import arguments
>>> parser.add_argument("--runs", type=arguments.count(1, 1000))
>>> parser.add_argument("--max-drop", type=arguments.share)
"""

import contextlib
import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from pathlib import Path

from edgecnn import bounds
from edgecnn.errors import EdgecnnError

MOST = 1_000_000  # of a count, if the option has no bound of its own
BATCH = 4096  # images a call
DAY = 86_400  # seconds
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DIGITS = 20  # a longer number is none: int() refuses thousands of digits by an error of its own


def count(least: int = 1, most: int = MOST) -> Callable[[str], int]:
    """A type for whole numbers from `least` to `most`, in plain digits."""

    def checked(text: str) -> int:
        is_whole = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
        with _refusing():
            return bounds.whole(int(text) if is_whole else text, "", least, most)

    return checked


def counts(least: int = 1, most: int = MOST) -> Callable[[str], list[int]]:
    """A type for such numbers, separated by commas, without repetitions, in their order."""
    one = count(least, most)
    return lambda text: list(dict.fromkeys(one(part) for part in text.split(",")))


def number(least: float = -bounds.LARGEST, most: float = bounds.LARGEST) -> Callable[[str], float]:
    """A type for numbers from `least` to `most`, neither nan nor inf."""

    def checked(text: str) -> float:
        with _refusing():
            return bounds.number(float(text) if _NUMBER.fullmatch(text) else text, "", least, most)

    return checked


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Turn an EdgecnnError into the error of a type, which argparse shows behind the option's name."""
    try:
        yield
    except EdgecnnError as error:
        raise ArgumentTypeError(str(error)) from None


def positive(text: str) -> float:
    """A type for numbers above 0."""
    value = number()(text)
    if value <= 0:
        raise ArgumentTypeError(f"{bounds.short(text)} is not above 0")
    return value


def nonzero(text: str) -> float:
    """A type for numbers other than 0."""
    value = number()(text)
    if value == 0:
        raise ArgumentTypeError(f"{bounds.short(text)} is 0")
    return value


share = number(0, 1)  # a type for shares and probabilities, 0 to 1


def path(text: str) -> Path:
    """A type for files and folders: an empty word, as of an unset variable in a script, is refused."""
    if not text or "\0" in text:
        raise ArgumentTypeError(f"{bounds.short(text)} names no file")
    return Path(text)


def size(text: str) -> tuple[int, int]:
    """A type for WIDTHxHEIGHT in pixels."""
    width, by, height = text.partition("x")
    if not by:
        raise ArgumentTypeError(f"{bounds.short(text)} is not a size: give WIDTHxHEIGHT, as 640x480")
    return _side(width), _side(height)


def square(text: str) -> tuple[int, int]:
    """A type for N, or HEIGHTxWIDTH, in pixels."""
    height, _, width = text.partition("x")
    return _side(height), _side(width or height)


_side = count(1, bounds.SIDE)


def core(text: str) -> int:
    """A type for the number of a core that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    chosen = count(0)(text)
    if chosen not in usable:
        raise ArgumentTypeError(f"core {chosen} may not be used here: choose of {', '.join(map(str, usable))}")
    return chosen


seed = count(0, 2**32 - 1)  # a type for what NumPy and Keras take as a seed


def words(text: str) -> str:
    """A type for a name or a list of names: not empty."""
    if not text.strip():
        raise ArgumentTypeError(f"{bounds.short(text)} is empty: give a name")
    return text


def unit(text: str) -> str:
    """A type for the name of a service: small letters, digits and hyphens."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,62}", text, re.ASCII):
        raise ArgumentTypeError(f"{bounds.short(text)} is no name of a service: give small letters, digits and hyphens")
    return text
