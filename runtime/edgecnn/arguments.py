"""What an option takes: types for argparse, the same for every command; what does not fit gets a line that says so.

>>> from edgecnn import arguments
>>> parser.add_argument("--runs", type=arguments.count(1, 1000))
>>> parser.add_argument("--max-drop", type=arguments.share)
"""

import math
import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path

MOST = 1_000_000  # of whatever is counted, where an option says nothing else
LARGEST = 1e9  # number, where an option says nothing else
BATCH = 4096  # images a call
DAY = 86_400  # seconds
SIDE = 32_768  # pixels of an image's side
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_SHOWN = 40  # characters of a value that does not fit
_DIGITS = 20  # a longer number is none: int() refuses thousands of digits by an error of its own


def count(least: int = 1, most: int = MOST) -> Callable[[str], int]:
    """A type for whole numbers from `least` to `most`, in plain digits."""

    def counted(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS and least <= int(text) <= most):
            raise ArgumentTypeError(f"{_shown(text)} is not a whole number from {least} to {most:,}")
        return int(text)

    return counted


def counts(least: int = 1, most: int = MOST) -> Callable[[str], list[int]]:
    """A type for such numbers, separated by commas; each counts once, in their order."""
    one = count(least, most)
    return lambda text: list(dict.fromkeys(one(part) for part in text.split(",")))


def number(least: float = -LARGEST, most: float = LARGEST) -> Callable[[str], float]:
    """A type for numbers from `least` to `most`; nan and inf are none."""

    def counted(text: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not least <= value <= most:
            raise ArgumentTypeError(f"{_shown(text)} is not a number from {least:g} to {most:g}")
        return value

    return counted


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def positive(text: str) -> float:
    """A type for numbers above 0."""
    value = number()(text)
    if value <= 0:
        raise ArgumentTypeError(f"{_shown(text)} is not above 0")
    return value


def nonzero(text: str) -> float:
    """A type for numbers other than 0."""
    value = number()(text)
    if value == 0:
        raise ArgumentTypeError(f"{_shown(text)} is 0")
    return value


share = number(0, 1)  # a type for shares and probabilities, 0 to 1


def path(text: str) -> Path:
    """A type for files and folders: an empty word, as of an unset variable in a script, names none."""
    if not text or "\0" in text:
        raise ArgumentTypeError(f"{_shown(text)} names no file")
    return Path(text)


def size(text: str) -> tuple[int, int]:
    """A type for WIDTHxHEIGHT in pixels."""
    width, by, height = text.partition("x")
    if not by:
        raise ArgumentTypeError(f"{_shown(text)} is not a size: give WIDTHxHEIGHT, as 640x480")
    return _side(width), _side(height)


def square(text: str) -> tuple[int, int]:
    """A type for N, or HEIGHTxWIDTH, in pixels."""
    height, _, width = text.partition("x")
    return _side(height), _side(width or height)


_side = count(1, SIDE)


def core(text: str) -> int:
    """A type for the number of a core that this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    number = count(0)(text)
    if number not in usable:
        raise ArgumentTypeError(f"{number} is no core that may be used here: choose of {', '.join(map(str, usable))}")
    return number


seed = count(0, 2**32 - 1)  # a type for what NumPy and Keras take as a seed


def words(text: str) -> str:
    """A type for a name or a list of names: not empty."""
    if not text.strip():
        raise ArgumentTypeError(f"{_shown(text)} is empty: give a name")
    return text
