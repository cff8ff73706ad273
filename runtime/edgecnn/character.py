"""The character on a photograph, found: light on dark, without its ground, its neighbours and what is printed."""

from dataclasses import dataclass

import numpy as np

from edgecnn.ink import Ink, ink_of
from edgecnn.morphology import Pixels, dilated
from edgecnn.parts import Box, Mask, joined, main_part, parts_of
from edgecnn.pillow import load_pillow
from edgecnn.shrinking import SIDE

_FAINTEST = 14  # of 255: the strength of the faintest character
_SHARE = 0.38  # of a character's strength: weaker ink belongs to something else
_GROUND, _FULL = 0.2, 0.8  # of a character's strength: what is drawn black, and what white
_AROUND = 0.8  # of a character's size: its surroundings
_LEAST, _MOST = -3.0, 0.5  # the share of ink there: below, the ground is another one, as at the edge of a sheet
_CUT = 0.02


@dataclass(frozen=True)
class _Candidate:
    """What may be the character, in one polarity."""

    ink: Ink
    mask: Mask
    box: Box
    strength: float  # 0 to 255
    score: float


def character_of(grey: Pixels) -> Pixels | None:
    """Find the character on a picture, the largest and most central one if there are several.

    Args:
        grey: uint8, (height, width), any size.

    Returns:
        uint8, light on black, cropped to the character; None if there is none.
    """
    grey = _shrunk(grey)
    candidates = [candidate for light in (False, True) if (candidate := _candidate(ink_of(grey, light)))]
    shares = [(candidate, share) for candidate in candidates if (share := _ink_share(candidate)) > _LEAST]
    plausible = [candidate for candidate, share in shares if share <= _MOST] or [candidate for candidate, _ in shares]
    if not plausible:
        return None
    return _drawing(_outer(plausible))


def _shrunk(grey: Pixels) -> Pixels:
    height, width = grey.shape
    ratio = SIDE / max(height, width)
    if ratio >= 1:
        return grey
    pillow = load_pillow()
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return np.asarray(pillow.fromarray(grey).resize(size, pillow.Resampling.BOX))


def _candidate(ink: Ink) -> _Candidate | None:
    """The character among the ink of one polarity, or None.

    What is much fainter than its main part, as a shadow or a rule, does not belong to it.
    """
    first = parts_of(ink, ink.floor)
    main, score = main_part(first, ink, _CUT)
    if not score:
        return None
    strength = float(np.percentile(ink.strength[first.labels == main], 85))
    parts = parts_of(ink, max(ink.floor, _SHARE * strength))
    main, score = main_part(parts, ink, 0.0)
    if not score:
        return None
    mask, box = joined(parts, main)
    strength = float(np.percentile(ink.strength[mask], 75))
    return _Candidate(ink, mask, box, strength, score) if strength >= _FAINTEST else None


def _ink_share(candidate: _Candidate) -> float:
    """How far the mean of a character's surroundings lies between ground and ink; above a half the ink is ground."""
    top, left, bottom, right = candidate.box
    margin = round(_AROUND * max(bottom - top, right - left))
    around = candidate.ink.dark[max(0, top - margin) : bottom + margin, max(0, left - margin) : right + margin]
    weights = candidate.ink.strength[candidate.mask].astype(np.float32)
    ink = np.average(candidate.ink.dark[candidate.mask], weights=weights)
    contrast = np.average(candidate.ink.contrast[candidate.mask], weights=weights)
    return float((ink + contrast - around.mean()) / max(1.0, contrast))


def _outer(candidates: list[_Candidate]) -> _Candidate:
    """The candidate whose box holds that of the other: a character's holes are inside of it; else the better one."""
    if len(candidates) > 1:
        one, other = candidates
        if _holds(one.box, other.box) != _holds(other.box, one.box):
            return one if _holds(one.box, other.box) else other
    return max(candidates, key=lambda candidate: candidate.score)


def _holds(outer: Box, inner: Box) -> bool:
    return all(np.multiply(np.subtract(inner, outer), (1, 1, -1, -1)) >= -1)


def _drawing(candidate: _Candidate) -> Pixels:
    """The character with the full contrast, and a pixel around it for its blurred edges."""
    least, most = (share * candidate.strength for share in (_GROUND, _FULL))
    top, left, bottom, right = candidate.box
    place = slice(max(0, top - 1), bottom + 1), slice(max(0, left - 1), right + 1)
    near = dilated(candidate.mask[place].astype(np.uint8), 3, 3)
    strength = (candidate.ink.strength[place].astype(np.float32) - least) * (255 / (most - least))
    return (strength.clip(0, 255) * near).astype(np.uint8)
