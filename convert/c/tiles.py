"""How convolutions go over their outputs: by a rule, or as a file names it, which `--tune-tiles` writes.

The file is JSON: `{"tiles": {"layer_conv1": {"rows": 2, "band": 4, "blocks": 3}}}`. Layers that it does not name, and
numbers that it leaves out, are as the rule has them. The same file gives the same C.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError

_MOST_BYTES = 1_000_000


@dataclass(frozen=True)
class Tile:
    """What a convolution takes at once; 0: by the rule."""

    rows: int = 0  # of a convolution of 1x1, put together
    band: int = 0  # such rows of outputs for which the input is copied at once
    blocks: int = 0  # of 16 channels; AVX-512


RULE = Tile()
Tiles = Mapping[str, Tile]  # by the steps' names
NO_TILES: Tiles = {}
Choices = Mapping[str, Sequence[int]]  # by the numbers' names; that of the rule comes first


def read_tiles(path: Path) -> dict[str, Tile]:
    """The tiles of a file.

    Raises:
        EdgecnnError: it cannot be read as such a file.
    """
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_MOST_BYTES))
        return {str(name): _tile(numbers) for name, numbers in document["tiles"].items()}
    except OSError as error:
        raise EdgecnnError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EdgecnnError(f"{path} holds no tiles: name a file that --tune-tiles wrote") from None


def _tile(numbers: Mapping[str, Any]) -> Tile:
    if not numbers.keys() <= {field.name for field in fields(Tile)}:
        raise ValueError
    if not all(type(number) is int and number > 0 for number in numbers.values()):
        raise TypeError
    return Tile(**numbers)


def tiles_text(tiles: Tiles, facts: Mapping[str, Any]) -> str:
    """The file of tiles, with facts about their search."""
    named = {name: {key: number for key, number in asdict(tile).items() if number} for name, tile in tiles.items()}
    return json.dumps({**facts, "tiles": named}, indent=1) + "\n"


def chosen(tile: Tile, choices: Choices, name: str) -> dict[str, int]:
    """The numbers of a tile.

    Raises:
        EdgecnnError: one is none of the choices.
    """
    numbers = {key: number or choices[key][0] for key, number in asdict(tile).items()}
    for key, number in numbers.items():
        if number not in choices[key]:
            fit = ", ".join(map(str, sorted(choices[key])))
            raise EdgecnnError(f"the tiles have {key} {number} for {name!r}, where {fit} fit: tune them again")
    return numbers
