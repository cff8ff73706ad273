"""Grey morphology with numpy alone: extremes of windows, each from two windows of half the size."""

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def dilated(grey: Pixels, rows: int, columns: int) -> Pixels:
    """The largest value in a window of so many rows and columns around each pixel; odd numbers centre it."""
    return _filtered(np.maximum, grey, rows, columns)


def eroded(grey: Pixels, rows: int, columns: int) -> Pixels:
    """The least value in a window of so many rows and columns around each pixel."""
    return _filtered(np.minimum, grey, rows, columns)


def closed(grey: Pixels, rows: int, columns: int) -> Pixels:
    """The picture without dark things in which no such window has room; at its edges the picture is taken to go on."""
    padded = np.pad(grey, ((rows, rows), (columns, columns)), mode="edge")
    return eroded(dilated(padded, rows, columns), rows, columns)[rows : rows + len(grey), columns:-columns]


def opened(grey: Pixels, rows: int, columns: int) -> Pixels:
    """The picture without light things in which no such window has room."""
    return ~closed(~grey, rows, columns)  # of uint8: 255 less the pixel


def line_opened(grey: Pixels, length: int, drift: int) -> Pixels:
    """The picture without light things in which no line of so many columns, that sinks so many rows, has room.

    The length is a power of two, and larger than the drift. A line may go on outside of the picture.
    """
    return _along(np.maximum, _along(np.minimum, grey, length, drift, 1), length, drift, -1)


def _filtered(extreme: np.ufunc, grey: Pixels, rows: int, columns: int) -> Pixels:
    before, after = (rows // 2, columns // 2), ((rows - 1) // 2, (columns - 1) // 2)
    grey = np.pad(grey, list(zip(before, after, strict=True)), mode="edge")
    for axis, side in enumerate((rows, columns)):
        span = 1
        while span < side:
            step = min(span, side - span)
            first, second = ((slice(None),) * axis + (part,) for part in (slice(None, -step), slice(step, None)))
            grey, span = extreme(grey[first], grey[second]), span + step
    return grey


def _along(extreme: np.ufunc, grey: Pixels, length: int, drift: int, direction: int) -> Pixels:
    """The extreme of the pixels on a line from each pixel on, or (`direction` -1) up to it, inside the picture."""
    step, (height, width) = 1, grey.shape
    while step < length:
        sinks = (2 * abs(drift) * step + length) // (2 * length)  # rounded half up: else slow drifts would be none
        down, across = direction * (sinks if drift > 0 else -sinks), direction * step
        here, there = (_shared(height, down), _shared(width, across)), (_shared(height, -down), _shared(width, -across))
        longer = grey.copy()
        extreme(grey[here], grey[there], out=longer[here])
        grey, step = longer, 2 * step
    return grey


def _shared(side: int, shift: int) -> slice:
    """The places of an axis that have one `shift` further on."""
    return slice(max(0, -shift), max(0, min(side, side - shift)))
