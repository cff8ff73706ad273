"""The one place where words become C: names, comments, string literals, and the templates that take nothing else.

A manifest is anybody's text. A template takes integers and `Code`, which only what writes C makes, so that a text that
nobody escaped ends the export instead of being compiled.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2

from edgecnn.errors import EdgecnnError

_TEMPLATES = Path(__file__).with_name("templates")
_LONGEST = 200  # characters of a text in a comment
# What <limits.h> and <stdint.h> have a NAME_WIDTH of; and what the steps of a network are called.
_TAKEN = re.compile(
    "u?int(_least|_fast)?[0-9]*|u?int(ptr|max)|[su]?char|u?(sh|short|shrt|long|llong)|bool|size|ptrdiff|wchar|wint"
    "|sig_atomic|layer_.*"
)
_HEADERS = {
    "arm_mve",
    "arm_neon",
    "cpuid",
    "immintrin",
    "riscv_vector",
    "stddef",
    "stdint",
    "stdio",
    "stdlib",
    "string",
    "time",
}


class Code(str):
    """Text that is C already."""

    __slots__ = ()


def identifier(stem: str) -> Code:
    """What a network is called in C, of its file's name; a word of its own always stands behind, as in NAME_run."""
    name = re.sub("[^A-Za-z0-9]+", "_", stem).strip("_")
    unfit = not name or name[0].isdigit() or _TAKEN.fullmatch(name.lower())
    return Code(f"model_{name}".rstrip("_") if unfit else name)


def comment(text: str) -> Code:
    """A text behind `//`, which it does not end: printable ASCII, no backslash and no trigraph that stands for one."""
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    plain = "".join(char if " " <= char <= "~" and char != "\\" else f"<U+{ord(char):04X}>" for char in shown)
    return Code(plain.replace("??", "? ?").replace("??", "? ?").replace("*/", "* /").replace("/*", "/ *"))


def literal(text: str) -> Code:
    """A string literal of a text's UTF-8."""
    return Code('"' + "".join(map(_in_literal, text.encode("utf-8", "replace"))) + '"')


def _in_literal(byte: int) -> str:
    char = chr(byte)
    if char in '"\\?':  # two question marks begin a trigraph
        return f"\\{char}"
    return char if " " <= char <= "~" else f"\\{byte:03o}"


def check_file_name(path: Path) -> None:
    """Refuse names that `#include "NAME.h"` cannot hold.

    Raises:
        EdgecnnError: it is such a name.
    """
    if not path.name.isprintable() or any(part in path.name for part in ('"', "\\", "??")):
        raise EdgecnnError(f"{path.name!r} cannot be included in C: name the file with letters, digits, '_', '-', '.'")
    if path.stem in _HEADERS:
        raise EdgecnnError(f"{path.stem}.h is a header of C's own: give --output another name")


def joined(parts: Iterable[str], between: str = "\n") -> Code:
    """Parts of C, one after the other."""
    return Code(between.join(parts))


def rendered(template: str, **values: int | Code) -> Code:
    """A file of templates/ with values at the places marked @{so}.

    Raises:
        TypeError: a value is neither an integer nor C.
    """
    return Code(_environment.get_template(template).render(values))


def _only_code(value: Any) -> Any:
    if isinstance(value, Code | int):
        return value
    raise TypeError(f"{value!r} is not C: escape it")


_environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    undefined=jinja2.StrictUndefined,
    variable_start_string="@{",  # what no C has
    variable_end_string="}",
    block_start_string="@%",
    block_end_string="%@",
    comment_start_string="@#",
    comment_end_string="#@",
    finalize=_only_code,
    keep_trailing_newline=True,
)
