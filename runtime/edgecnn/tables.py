"""Tables of text that fit the screen: the last column is wrapped, or columns go on in a second table below."""

import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence

from edgecnn.escape import for_terminal
from edgecnn.streams import printable

WIDE = 1 << 20  # characters: of a file or a pipe, which take lines of any length
_GAP = "  "
_READABLE = 16  # characters: a narrower column of words is not wrapped


class _Column:
    """A column with its head on top; figures are aligned to the right, words to the left."""

    def __init__(self, head: str, cells: Sequence[object]) -> None:
        texts = [printable(str(cell)).split("\n") for cell in (head, *cells)]
        self.cells = [list(map(for_terminal, lines)) for lines in texts]  # cells as lists of lines
        self.figures = bool(cells) and all(_is_figure(str(cell)) for cell in cells)

    @property
    def width(self) -> int:
        return max(_width(line) for cell in self.cells for line in cell)

    def wrap(self, room: int) -> None:
        """Break cells that are longer; long words, such as paths, stay whole, that they can be copied."""
        whole = textwrap.TextWrapper(room, break_long_words=False, break_on_hyphens=False)
        self.cells = [[part for line in cell for part in whole.wrap(line) or [""]] for cell in self.cells]


def table(head: Sequence[str], rows: Iterable[Sequence[object]], width: int | None = None) -> str:
    """Lay out rows under a head: words left-aligned, columns of figures right-aligned.

    Args:
        head: the names of the columns.
        rows: their cells.
        width: in characters; None for that of the terminal, or without one as many as the table needs.
    """
    body, width = list(rows), screen_width() if width is None else width
    columns = [_Column(name, [row[place] for row in body]) for place, name in enumerate(head)]
    _fit_last(columns, width)
    blocks = _blocks(columns, width)
    _fit_last(blocks[-1], width)
    return "\n\n".join(map(_laid_out, blocks))


def fitted(text: str, width: int) -> str:
    """A text in lines no longer than `width`, broken between words.

    In a text of two columns, a broken line goes on in the second; indented examples stay whole.
    """
    lines = text.split("\n")
    if not any(re.search(r"\S  +\S|^ ", line) for line in lines):
        return textwrap.fill(" ".join(lines), width)
    return "\n".join(_fitted_line(line, width) for line in lines)


def _fitted_line(line: str, width: int) -> str:
    first = re.match(r"\s*\S.*?\s{2,}(?=\S)", line)
    return textwrap.fill(line, width, subsequent_indent=" " * first.end()) if first else line


def paragraph(text: str) -> str:
    """A text whose lines fit the terminal, broken between words; unchanged without a terminal."""
    return textwrap.fill(text, screen_width(), break_long_words=False, break_on_hyphens=False)


def screen_width() -> int:
    """Characters in a line of the terminal; of a pipe or a file, as many as one wants."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDE


def _fit_last(columns: Sequence[_Column], width: int) -> None:
    """Wrap the last column if that makes the table narrow enough."""
    room = width - _total(columns[:-1]) - len(_GAP)
    if room >= _READABLE and not columns[-1].figures:
        columns[-1].wrap(room)


def _blocks(columns: list[_Column], width: int) -> list[list[_Column]]:
    """Columns in as many tables as they need; every table begins with the columns that name the rows."""
    names = columns[: next((place for place, column in enumerate(columns) if column.figures), 0) or 1]
    if _total(names) > width // 2:
        names = names[:1]
    blocks = [names]
    for column in columns[len(names) :]:
        if _total([*blocks[-1], column]) <= width or len(blocks[-1]) == len(names):
            blocks[-1] = [*blocks[-1], column]
        else:
            blocks.append([*names, column])
    return blocks


def _total(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _laid_out(columns: Sequence[_Column]) -> str:
    under = _line(columns, [printable("─" * column.width) for column in columns])
    rows = [_row(columns, place) for place in range(len(columns[0].cells))]
    return "\n".join([rows[0], under, *rows[1:]])


def _row(columns: Sequence[_Column], place: int) -> str:
    """A row in as many lines as its highest cell has."""
    cells = [column.cells[place] for column in columns]
    lines = range(max(map(len, cells)))
    return "\n".join(_line(columns, [cell[line] if line < len(cell) else "" for cell in cells]) for line in lines)


def _line(columns: Sequence[_Column], cells: Sequence[str]) -> str:
    padded = []
    for column, cell in zip(columns, cells, strict=True):
        space = " " * (column.width - _width(cell))
        padded.append(space + cell if column.figures else cell + space)
    return _GAP.join(padded).rstrip()


def _width(text: str) -> int:
    """Places that a text takes on a screen: Chinese takes two a letter, a combining accent none."""
    return sum(
        1 + (unicodedata.east_asian_width(letter) in "WF") - bool(unicodedata.combining(letter)) for letter in text
    )


def _is_figure(cell: str) -> bool:
    return cell[:1] in "0123456789+-–" if cell else True
