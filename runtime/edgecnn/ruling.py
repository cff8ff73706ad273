"""Rules of ruled and squared paper, margins and the like are removed from ink."""

import math

import numpy as np
import numpy.typing as npt

from edgecnn.components import Components, components
from edgecnn.morphology import Pixels, closed, dilated, line_opened, opened

_WAVE = 3  # pixels: a rule is as straight as that, and as whole
_STEEPEST = 0.25  # rows a column: 14 degrees
_LENGTH = 0.16  # of the picture's longer side, about: of lines that are looked for
_THICKEST = 0.02  # of that side
_PIECE, _LONG = 0.22, 0.45  # of the width: the least piece of a rule; one that alone tells of a ruled sheet
_FAMILY, _CROSSING = 3, 2  # so many long rules, or so many that cross the picture, tell of a ruled sheet
_EDGE = 0.04  # of the width: what ends there goes on outside
_FAINT = 2.5  # times the faintest places of a rule: its strength, at most
_DARKER = 1.6  # times the strength of a rule: a stroke over it


def without_rules(ink: Pixels, floor: float) -> Pixels:
    """Ink without rules across the picture, horizontal and vertical ones; strokes over them stay.

    Args:
        ink: the strength of ink, uint8, (height, width).
        floor: the strength up to which a pixel is ground.
    """
    upright = np.ascontiguousarray(_without_rows(ink, floor).T)
    return np.ascontiguousarray(_without_rows(upright, floor).T)


def _without_rows(ink: Pixels, floor: float) -> Pixels:
    """Ink without the horizontal rules."""
    side = max(ink.shape)
    thickest = max(5, round(_THICKEST * side)) | 1
    thin = closed(dilated(ink - opened(ink, thickest, thickest), _WAVE, 1), 1, _WAVE)[::2, ::2]
    strength = np.zeros_like(thin)
    length = 2 ** round(math.log2(max(4, _LENGTH * side / 2)))
    for drift in range(round(-_STEEPEST * length), round(_STEEPEST * length) + 1):
        np.maximum(strength, line_opened(thin, length, drift), out=strength)
    rules = _rules(components(strength > floor), strength.shape[1])
    if not rules.any():
        return ink
    height, width = ink.shape
    whole = closed(dilated(rules, 3, 1), 1, thickest)  # between two slopes a rule has gaps
    mask = whole.repeat(2, 0).repeat(2, 1)[:height, :width] > 0
    level = min(np.median(ink[mask & (ink > floor)]), _FAINT * np.median(strength[rules > 0]))
    return _repaired(np.where(mask & (ink < _DARKER * level), 0, ink).astype(np.uint8), ink, mask, thickest)


def _rules(pieces: Components, width: int) -> Pixels:
    """The rules of a picture of this width, as a mask: 255, else 0."""
    left, right = pieces.boxes[:, 1], pieces.boxes[:, 3]
    lengths = right - left
    crossing = (left <= _EDGE * width) & (right >= (1 - _EDGE) * width)
    long = lengths >= _LONG * width
    rules = crossing | (lengths >= _PIECE * width) if _ruled(crossing, long) else crossing
    rules[0] = False
    return (rules[pieces.labels] * np.uint8(255)).astype(np.uint8)


def _ruled(crossing: npt.NDArray[np.bool_], long: npt.NDArray[np.bool_]) -> bool:
    return bool(np.count_nonzero(crossing) >= _CROSSING or np.count_nonzero(long) >= _FAMILY)


def _repaired(ink: Pixels, before: Pixels, mask: npt.NDArray[np.bool_], thickest: int) -> Pixels:
    """Ink where strokes crossed the rules, as far as there was some before."""
    bridged = np.minimum(closed(ink, 2 * thickest + 1, 1), before)
    return np.where(mask, np.maximum(ink, bridged), ink)
