"""The strokes of a drawn character get the width that those of MNIST have."""

import math

import numpy as np
import numpy.typing as npt

from edgecnn.components import components
from edgecnn.morphology import Pixels, closed, dilated, eroded

_DRAWN = 5  # pixels here for one in the frame
_THIN = 2.2 / 20  # of the longer side: thinner strokes become so wide
_OUTLINE, _HOLLOW = 0.14, 1.6  # of the longer side: the widest hollow stroke; how much larger it is when filled
_LEAK = 5  # pixels: a gap in the line around a stroke
_CURVED = 1.3  # times its box's side: the length of a curved stroke
_INK = 60  # of 255: weaker pixels are the blurred edges of strokes
_HALF = 127


def drawn_size(shape: tuple[int, ...], box: int) -> tuple[int, int]:
    """Height and width at which a character of some shape is redrawn for a frame with this box."""
    ratio = _DRAWN * box / max(shape)
    height, width = (max(1, round(side * ratio)) for side in shape)
    return height, width


def evened(drawing: Pixels) -> Pixels:
    """A character, light on dark, with strokes of usual width, cropped.

    Thin strokes would be pale after shrinking, or too faint to see. Two lines around a hollow stroke become one stroke.
    """
    drawing = cropped(_filled(drawing))
    for _ in range(2):  # the width is an estimate, and the size grows too
        missing = round(_THIN * max(drawing.shape) - _stroke_width(drawing))
        if missing < 1:
            break
        drawing = cropped(dilated(np.pad(drawing, missing), missing + 1, missing + 1))
    return drawing


def cropped(drawing: Pixels) -> Pixels:
    """The part of a drawing that has ink, or all of it."""
    rows, columns = (np.flatnonzero(drawing.max(axis) > _INK) for axis in (1, 0))
    return drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else drawing


def _filled(drawing: Pixels) -> Pixels:
    """A drawing whose strokes are two lines, with strokes; another one as it is."""
    side = round(_OUTLINE * max(drawing.shape)) | 1
    solid = closed(np.pad(drawing, side), side, side)[side:-side, side:-side]
    if np.count_nonzero(solid > _HALF) <= _HOLLOW * np.count_nonzero(drawing > _HALF):
        return drawing
    holes = components(
        np.pad(closed(np.pad(drawing, _LEAK), _LEAK, _LEAK)[_LEAK:-_LEAK, _LEAK:-_LEAK], 1) <= _HALF
    )  # the first is outside
    inner = [hole for hole in range(2, len(holes.boxes)) if _is_stroke(holes.labels == hole)]
    strokes = np.isin(holes.labels, inner)[1:-1, 1:-1]
    return np.where(strokes, np.uint8(255), drawing) if inner else solid


def _is_stroke(hole: npt.NDArray[np.bool_]) -> bool:
    """Whether a hole is longer than its box for its width: the inside of a curved stroke, not of a 0."""
    rows, columns = (np.flatnonzero(hole.any(axis)) for axis in (1, 0))
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    side = round(np.count_nonzero(hole) / (_CURVED * longest))
    return side > 1 and not eroded(hole.astype(np.uint8), side, side).any()


def _stroke_width(drawing: Pixels) -> float:
    """The mean width of the strokes in pixels: that of a bar with the same area and circumference.

    The circumference is that along the pixels' sides, times pi / 4: the mean over all directions.
    """
    mask = np.pad(drawing > _HALF, 1)
    area = int(np.count_nonzero(mask))
    sides = np.count_nonzero(mask[1:] != mask[:-1]) + np.count_nonzero(mask[:, 1:] != mask[:, :-1])
    half = sides * math.pi / 8
    return (half - math.sqrt(max(0.0, half * half - 4 * area))) / 2
