"""Connected components of a mask: numpy alone, by runs of its rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Components:
    """The connected components of a mask, diagonal neighbours included; component 0 is the ground.

    Attributes:
        labels: int32, (height, width): the component of each pixel, 0 where the mask is unset.
        boxes: int, (components + 1, 4): top, left, bottom, right of each, the last two excluded; zeros for the ground.
    """

    labels: Labels
    boxes: npt.NDArray[np.intp]


def components(mask: Mask) -> Components:
    """Label the connected components of a mask, (height, width).

    Neighbouring runs get the smaller of their labels until none changes, and every round a run takes the label of its
    label. Source: Y. Shiloach, U. Vishkin (1982), "An O(log n) parallel connectivity algorithm".
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 2), np.int8)
    padded[:, 1:-1] = mask
    edges = np.diff(padded, axis=1).ravel()
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)  # in rows of width + 1
    roots = _roots(len(starts), *_touching(starts, ends, width + 1))
    _, numbers = np.unique(roots, return_inverse=True)
    painted = np.zeros(height * (width + 1) + 1, np.int32)
    painted[starts] = numbers + 1
    painted[ends] -= (numbers + 1).astype(np.int32)
    labels = np.cumsum(painted[:-1], dtype=np.int32).reshape(height, width + 1)[:, :-1]
    return Components(labels, _boxes(starts, ends, numbers, width + 1))


def _touching(
    starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp], stride: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pairs of runs that touch, the first in the row above the second."""
    first = np.searchsorted(ends, starts - stride, "left")  # the runs above that end where this one starts, or later
    last = np.searchsorted(starts, ends - stride, "right")
    counts = np.maximum(last - first, 0)
    below = np.repeat(np.arange(len(starts)), counts)
    offsets = np.arange(len(below)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + offsets, below


def _roots(runs: int, one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """The least run that each run is connected with."""
    roots = np.arange(runs)
    while len(one):
        least = np.minimum(roots[one], roots[other])
        before = roots.copy()
        for side in (one, other):
            np.minimum.at(roots, before[side], least)
        roots = roots[roots]
        roots = roots[roots]
        if (roots == before).all():
            break
    return roots


def _boxes(
    starts: npt.NDArray[np.intp], ends: npt.NDArray[np.intp], numbers: npt.NDArray[np.intp], stride: int
) -> npt.NDArray[np.intp]:
    boxes = np.zeros((int(numbers.max(initial=-1)) + 2, 4), np.intp)
    boxes[1:, :2] = np.iinfo(np.intp).max
    rows = starts // stride
    np.minimum.at(boxes[:, 0], numbers + 1, rows)
    np.minimum.at(boxes[:, 1], numbers + 1, starts % stride)
    np.maximum.at(boxes[:, 2], numbers + 1, rows + 1)
    np.maximum.at(boxes[:, 3], numbers + 1, ends - rows * stride)
    return boxes
