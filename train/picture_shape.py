"""The size and the channels that pictures are read in, chosen from what is there."""

from pathlib import Path
from statistics import median

import numpy as np

from edgecnn.decoding import header
from edgecnn.errors import EdgecnnError
from edgecnn.images import read_image
from edgecnn.manifest import Input

SIDES = (28, 32, 48, 64, 96)  # pixels; networks halve them several times
_LOOKED_AT = 500  # pictures, spread over all
_GREY = frozenset({"1", "L", "LA", "La", "I", "F"})  # Pillow's modes, without the depth
_SMALL, _COLOURLESS = 32, 12  # pixels; grey levels between the channels that JPEG leaves in a grey picture


def picture_shape(
    files: list[Path], size: tuple[int, int] | None, channels: int | None
) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    """Height, width and channels for pictures, and notes on what was chosen; None is chosen here.

    The side is the longest of `SIDES` that the median of the pictures' short sides has, the shortest where that is
    shorter. Pictures are grey if all that are looked at are.
    """
    notes = []
    if size is None:
        lengths = [min(size) for size, _ in _headers(files)] or [SIDES[0]]
        side = max((side for side in SIDES if side <= median(lengths)), default=SIDES[0])
        size = side, side
        notes.append(
            f"images are scaled to {side}x{side}: half of them have {median(lengths):,.0f} or more pixels a side"
        )
    if channels is None:
        channels = 3 if any(map(_is_coloured, _spread(files))) else 1
        notes.append("images are read in colour" if channels == 3 else "images are read as grey, which they are")
    return (*size, channels), tuple(notes)


def _spread(files: list[Path]) -> list[Path]:
    return files[:: -(-len(files) // _LOOKED_AT) or 1]


def _headers(files: list[Path]) -> list[tuple[tuple[int, int], str]]:
    """Size and mode of some pictures, without those that cannot be read."""
    heads = []
    for path in _spread(files):
        try:
            heads.append(header(path))
        except EdgecnnError:
            continue
    return heads


def _is_coloured(path: Path) -> bool:
    try:
        if header(path)[1].split(";")[0] in _GREY:
            return False
        pixels = read_image(path, Input((_SMALL, _SMALL, 3), (1.0,), (0.0,)))
    except EdgecnnError:
        return False
    return bool(np.ptp(pixels.astype(np.int16), axis=2).max() > _COLOURLESS)
