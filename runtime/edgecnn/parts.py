"""The parts of the ink on a picture, and which of them are its character."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn.components import components
from edgecnn.ink import Ink
from edgecnn.morphology import dilated, eroded

Mask = npt.NDArray[np.bool_]
Box = tuple[int, int, int, int]  # top, left, bottom, right; the last two excluded

_CENTRAL = 0.25  # of the sides: the standard deviation of a character's place
_LEAST, _CUT = 0.035, 0.25  # of the longer side: the least character; the least that the picture's edge cuts
_FLAT = 2.5  # times as wide as high: no character
_RING, _ONE_SIDE = 4, 0.3  # pixels around a part; the share of them that is dark where one side is
_CANDIDATES = 12  # the heaviest parts, which may be frames
_ROOM, _INNER = 0.1, 0.25  # of a frame's sides: around what it holds; the least that it holds
_HOLLOW, _FILLED, _ROUND = 0.35, 0.74, 0.02  # of a frame's box: ink at most; the area that it encloses; its hollows
_GAP, _BESIDE = 0.14, 0.3  # of the character's size: a gap within it; of the narrower part: what counts as beside
_SPECK, _FAINT = 0.06, 0.02  # of the character's size and of its weight: smaller parts are no part of it


@dataclass(frozen=True)
class Parts:
    """The connected parts of the ink; part 0 is the ground.

    Attributes:
        labels: int32, (height, width): the part of each pixel.
        boxes: int, (parts, 4): top, left, bottom, right.
        weight: of each part: the sum of its ink's squares, so that faint ink counts for little.
        area: pixels of each part.
    """

    labels: npt.NDArray[np.int32]
    boxes: npt.NDArray[np.intp]
    weight: npt.NDArray[np.float64]
    area: npt.NDArray[np.float64]

    @property
    def sizes(self) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Heights and widths."""
        return self.boxes[:, 2] - self.boxes[:, 0], self.boxes[:, 3] - self.boxes[:, 1]


def parts_of(ink: Ink, floor: float) -> Parts:
    """The parts of ink whose strength is above `floor`."""
    mask = ink.strength > floor
    regions = components(mask)
    numbers, strength = regions.labels[mask], ink.strength[mask].astype(np.float64)
    weight, area = (
        np.bincount(numbers, values, len(regions.boxes)).astype(np.float64)
        for values in (strength * strength, np.ones_like(strength))
    )
    return Parts(regions.labels, regions.boxes, weight, area)


def main_part(parts: Parts, ink: Ink, cut: float) -> tuple[int, float]:
    """The part that is most probably the character or most of it, and its score; the score is 0 if none may be.

    Args:
        parts: of the ink.
        ink: the ink.
        cut: the factor of a part that three of the picture's edges cut.
    """
    score = np.sqrt(parts.weight) * _plausible(parts, cut)
    score[0] = 0
    for frame in np.argsort(-parts.weight)[:_CANDIDATES]:
        if _is_frame(parts, int(frame)):
            score[frame] *= 0.05
    for part in np.argsort(-score)[:_CANDIDATES]:
        if score[part] == 0 or not _is_step(parts, ink, int(part)):
            return int(part), float(score[part])
    return 0, 0.0


def _plausible(parts: Parts, cut: float) -> npt.NDArray[np.float64]:
    """A factor for each part by its place, size and form."""
    (height, width), (heights, widths) = parts.labels.shape, parts.sizes
    top, left, bottom, right = parts.boxes.T
    offset = np.hypot((top + bottom) / (2 * height) - 0.5, (left + right) / (2 * width) - 0.5)
    edges = (top <= 1).astype(int) + (left <= 1) + (bottom >= height - 1) + (right >= width - 1)
    longest, flat = np.maximum(heights, widths) / max(height, width), widths > _FLAT * heights
    uncut = np.array((1, 0.4, 0.15, 0.15 * cut, 0.15 * cut))
    factor: npt.NDArray[np.float64] = np.exp(-((offset / _CENTRAL) ** 2) / 2) * uncut[edges]
    factor[flat] *= 0.1
    factor[(longest < _LEAST) | ((edges > 0) & ((longest < _CUT) | flat))] = 0
    factor[(heights > 8 * widths) & (edges > 0)] *= 0.1
    return factor


def _is_frame(parts: Parts, frame: int) -> bool:
    """Whether a part is a printed box or a circle around other parts."""
    heights, widths = parts.sizes
    height, width = heights[frame], widths[frame]
    if frame == 0 or parts.area[frame] > _HOLLOW * height * width:
        return False
    room = _ROOM * np.array((height, width, -height, -width))
    inside = ((parts.boxes - parts.boxes[frame] - room) * (1, 1, -1, -1) > 0).all(axis=1)
    inside &= np.maximum(heights, widths) >= _INNER * max(height, width)
    inside &= (parts.weight > 2 * _FAINT * parts.weight[frame]) & (parts.area > 0.02 * height * width)
    return bool(inside[1:].any()) and _is_convex(_cut_out(parts, frame))


def _is_step(parts: Parts, ink: Ink, part: int) -> bool:
    """Whether a part is an edge between two grounds, as that of a sheet on a desk: dark on one of its sides."""
    top, left, bottom, right = parts.boxes[part]
    place = slice(max(0, top - _RING), bottom + _RING), slice(max(0, left - _RING), right + _RING)
    mask, dark = parts.labels[place] == part, ink.dark[place]
    near, wide = (dilated(mask.astype(np.uint8), side, side) > 0 for side in (3, 2 * _RING + 1))
    ring = wide & ~near
    middle = np.where(mask, dark + ink.contrast[place] / 2, 255).astype(np.uint8)
    darkest = eroded(middle, 2 * _RING + 1, 2 * _RING + 1)
    return bool((dark[ring] < darkest[ring]).mean() > _ONE_SIDE) if ring.any() else False


def _cut_out(parts: Parts, part: int) -> Mask:
    top, left, bottom, right = parts.boxes[part]
    return np.asarray(parts.labels[top:bottom, left:right] == part)


def _is_convex(mask: Mask) -> bool:
    """Whether what a closed line encloses has no hollows; other than that of an 8."""
    rows, columns = _spans(mask), _spans(mask.T).T
    return bool((rows & columns).mean() > _FILLED and (rows ^ columns).mean() < _ROUND)


def _spans(mask: Mask) -> Mask:
    """From the first to the last pixel of each row."""
    begun, pending = np.logical_or.accumulate(mask, 1), np.logical_or.accumulate(mask[:, ::-1], 1)[:, ::-1]
    return np.asarray(begun & pending)


def joined(parts: Parts, main: int) -> tuple[Mask, Box]:
    """The mask of a character, (height, width), and its box: a part, those inside its box, and those close to it."""
    chosen = np.arange(len(parts.boxes)) == main
    box = parts.boxes[main]
    while True:
        more = chosen | _companions(parts, main, box)
        if (more == chosen).all():
            break
        chosen, boxes = more, parts.boxes[more]
        box = np.concatenate((boxes[:, :2].min(0), boxes[:, 2:].max(0)))
    top, left, bottom, right = (int(side) for side in box)
    return chosen[parts.labels], (top, left, bottom, right)


def _companions(parts: Parts, main: int, box: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
    """The parts that belong to a character of this box: neither specks nor a neighbour at its side."""
    (heights, widths), size = parts.sizes, max(box[2:] - box[:2])
    longest = np.maximum(heights, widths)
    gaps = np.maximum(0, np.maximum(parts.boxes[:, :2] - box[2:], box[:2] - parts.boxes[:, 2:]))
    common = np.minimum(parts.boxes[:, 3], box[3]) - np.maximum(parts.boxes[:, 1], box[1])
    beside = common < _BESIDE * np.minimum(widths, box[3] - box[1])
    near = ~gaps.any(axis=1) | (np.hypot(*gaps.T) < np.where(beside, _GAP / 2, _GAP) * size)
    near &= (longest > _SPECK * size) & (longest <= 1.05 * size) & (parts.weight >= _FAINT * parts.weight[main])
    near[0] = False
    return np.asarray(near)
