"""From image files to the raw pixels that a model takes. Needs Pillow: the extra `image`."""

from pathlib import Path
from typing import Any

import numpy as np

from edgecnn.character import character_of
from edgecnn.decoding import MOST_PIXELS, decode
from edgecnn.errors import EdgecnnError, NoCharacterError
from edgecnn.manifest import CharacterFrame, Input
from edgecnn.pillow import load_pillow
from edgecnn.shrinking import SIDE, Pixels, shrunk, shrunk_pixels
from edgecnn.strokes import drawn_size, evened

SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".avif", ".heic", ".heif", ".pgm", ".ppm", ".tif", ".tiff")
)


def read_image(picture: Path | str | bytes, wanted: Input, most: int = MOST_PIXELS) -> Pixels:
    """Read an image file as the pixels that a model with this input takes.

    Args:
        picture: the path or the bytes of a PNG, JPEG or another format that Pillow reads, of any size and mode; its
            EXIF orientation turns it upright, and its transparent parts become white (black if nothing would stand out
            from white).
        wanted: the model's input. With a `frame` the image shows one character (see
            `frame_character`); without one it is scaled to height and width.
        most: pixels of the picture as it is stored.

    Returns:
        uint8, shape `wanted.shape` (height, width, channels).

    Raises:
        EdgecnnError: Pillow is not installed; the file is missing, does not decode, or takes more memory than there is;
            a framed image is blank.
    """
    source = "the picture" if isinstance(picture, bytes) else str(picture)
    file = picture if isinstance(picture, bytes) else Path(picture)
    try:
        return _fit(decode(file, *_wish(wanted), most), wanted, source)
    except MemoryError:
        raise EdgecnnError(f"{source} takes more memory than there is: make the picture smaller") from None


def fit_image(picture: Any, wanted: Input, source: str = "image") -> Pixels:
    """Bring a picture of any size, for instance of a camera, into the shape of a model's input, as `read_image` does.

    Args:
        picture: a Pillow image, which its EXIF orientation turns upright; or pixels, uint8, shape (height, width) or
            (height, width, 3) in the order red, green, blue.
        wanted: the model's input.
        source: the name of the image in an error.

    Returns:
        uint8, shape `wanted.shape`.

    Raises:
        EdgecnnError: Pillow is not installed; a framed image is blank.
    """
    shrink = shrunk_pixels if isinstance(picture, np.ndarray) else shrunk
    return _fit(shrink(picture, *_wish(wanted)), wanted, source)


def _wish(wanted: Input) -> tuple[str, tuple[int, int], int]:
    """Mode, height and width, and the least longer side of a picture for this input: `decode`'s arguments."""
    return "L" if wanted.shape[2] == 1 else "RGB", _size(wanted), SIDE if wanted.frame else 1


def _size(wanted: Input) -> tuple[int, int]:
    return wanted.shape[0], wanted.shape[1]


def _fit(image: Any, wanted: Input, source: str) -> Pixels:
    height, width = _size(wanted)
    if wanted.frame is None:
        pixels = np.asarray(image.resize((width, height), load_pillow().Resampling.BILINEAR))
    else:
        pixels = frame_character(np.asarray(image), wanted.frame, (height, width), source)
    return pixels.reshape(wanted.shape)


def frame_character(grey: Pixels, frame: CharacterFrame, size: tuple[int, int], source: str = "image") -> Pixels:
    """Bring one drawn character into MNIST's frame: light on dark, the longer side `frame.box`, centred by mass.

    The character may be dark on light or light on dark, unevenly lit, on ruled or squared paper, in a box, beside
    others (the central one counts), on a sheet that lies on a desk; see `edgecnn.character`. A picture that is in the
    frame already stays as it is.

    Args:
        grey: uint8, shape (height, width), any size.
        frame: the manifest's frame.
        size: height and width of the result.
        source: the name of the image in an error.

    Returns:
        uint8, shape `size`.

    Raises:
        NoCharacterError: there is none.
    """
    if _is_framed(grey, frame, size):
        return grey
    drawing = character_of(grey)
    if drawing is None:
        raise NoCharacterError(f"{source} is blank: no character stands out from its ground")
    height, width = drawn_size(drawing.shape, frame.box)
    pillow = load_pillow()
    filtered = pillow.Resampling.BICUBIC if height > drawing.shape[0] else pillow.Resampling.BOX
    redrawn = np.asarray(pillow.fromarray(drawing).resize((width, height), filtered))
    return frame_drawing(evened(redrawn), frame, size)


def frame_drawing(drawing: Pixels, frame: CharacterFrame, size: tuple[int, int]) -> Pixels:
    """Bring a clean drawing, light on black, into MNIST's frame: its box is scaled, its centre of mass the middle.

    Source: "size normalized to fit in a 20x20 pixel box while preserving their aspect ratio [...] centered by computing
    the center of mass", LeCun, Cortes, Burges: the MNIST database.

    Args:
        drawing: uint8, shape (height, width), any size, not all black.
        frame: the manifest's frame.
        size: height and width of the result.

    Returns:
        uint8, shape `size`.
    """
    rows, columns = np.flatnonzero(drawing.any(axis=1)), np.flatnonzero(drawing.any(axis=0))
    drawn = drawing[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ratio = frame.box / max(drawn.shape)
    height, width = (max(1, round(side * ratio)) for side in drawn.shape)
    pillow = load_pillow()
    return _center(np.asarray(pillow.fromarray(drawn).resize((width, height), pillow.Resampling.LANCZOS)), size)


def _is_framed(grey: Pixels, frame: CharacterFrame, size: tuple[int, int]) -> bool:
    if grey.shape != size or not grey.any() or np.median(_border(grey)) > 0:
        return False
    rows, columns = np.nonzero(grey)
    fits = max(np.ptp(rows), np.ptp(columns)) < frame.box
    offset = np.abs(np.subtract(_center_of_mass(grey), np.divide(size, 2)))
    return bool(fits and offset.max() <= 1)


def _border(grey: Pixels) -> Pixels:
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def _center_of_mass(grey: Pixels) -> tuple[float, float]:
    mass = grey.astype(np.float64)
    rows, columns = (np.arange(side) for side in grey.shape)
    return float(mass.sum(1) @ rows / mass.sum()), float(mass.sum(0) @ columns / mass.sum())


def _center(drawn: Pixels, size: tuple[int, int]) -> Pixels:
    """Put `drawn` on a dark ground, with its centre of mass in the middle, as far as it stays inside."""
    framed = np.zeros(size, np.uint8)
    middle = np.divide(size, 2)  # pixel 14 of 0..27, as all of MNIST has it
    room = np.subtract(size, drawn.shape)
    top, left = np.clip(np.rint(middle - _center_of_mass(drawn)).astype(int), 0, room)
    framed[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return framed
