"""Constants as C: numbers, rows, arrays and structs."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.c.syntax import Code

_WIDTH = 120  # of a line
_GLUE = "\0"  # a blank at which no line ends


def float_literal(value: float | np.float32) -> Code:
    """A float of C that is exactly this float32."""
    text = f"{np.float32(value):.9g}"
    return Code(f"{text}f" if any(char in text for char in ".e") else f"{text}.0f")


def numbers(values: Iterable[object]) -> str:
    """Numbers, wrapped and indented."""
    return _wrapped(", ".join(map(str, values)))


def rows(values: npt.NDArray[Any]) -> str:
    """The rows of a matrix, each in braces."""
    return ",\n".join(f"    {{\n{numbers(row.tolist())}\n    }}" for row in values)


def array(kind: str, name: str, values: npt.NDArray[Any]) -> str:
    """An array of a type of C, aligned for vectors."""
    return f"static const {kind} ALIGNED {name}[{values.size}] = {{\n{numbers(values.ravel().tolist())}\n}};\n"


def struct(kind: str, name: str, fields: Mapping[str, object]) -> str:
    """A struct with its fields."""
    filled = ", ".join(f".{field}{_GLUE}={_GLUE}{value}" for field, value in fields.items())
    return f"static const struct {kind} {name} = {{\n{_wrapped(filled)}\n}};\n"


def _wrapped(text: str) -> str:
    lines = textwrap.wrap(text, _WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return textwrap.indent("\n".join(lines), "    ").replace(_GLUE, " ")
