"""A large uncompressed picture (BMP, PPM, TIFF) as bands of its rows: Pillow alone holds the whole, 4 bytes a pixel.

Pillow's plugins say where the rows lie in the file: `image.tile` has for every strip of rows its codec, its box (left,
top, right, bottom), its offset and the layout of its pixels. Source: Pillow's "Writing your own image plugin", the raw
decoder.
"""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, BinaryIO

from edgecnn.pillow import ORIENTATION

_FORMATS = ("BMP", "DIB", "PPM", "TIFF")
_WIDTHS = {"RGB": 3, "BGR": 3, "RGBX": 4, "BGRX": 4, "RGBA": 4, "BGRA": 4}  # bytes a pixel, by layout


def splits(image: Any) -> bool:
    """Whether an open Pillow image is of a kind that is read in bands: uncompressed strips, one below the other."""
    if image.format not in _FORMATS or not image.tile or image.getexif().get(ORIENTATION, 1) != 1:
        return False  # Pillow turns a TIFF while it loads it
    layout, _, step = _layout(image)
    width, height = image.size
    bottoms = [box[3] for _, box, *_ in image.tile]
    boxes = [(0, top, width, bottom) for top, bottom in zip([0, *bottoms], bottoms, strict=False)]
    same = {(tile[0], tile[3]) for tile in image.tile} == {("raw", image.tile[0][3])}
    stacked = [tuple(tile[1]) for tile in image.tile] == boxes and bottoms[-1] == height
    return same and stacked and layout in _WIDTHS and (step == 1 or len(boxes) == 1)


def bands(file: BinaryIO, image: Any, rows: int, pillow: ModuleType) -> Iterator[Any]:
    """The Pillow images of an image that `splits`, from the top, each of `rows` rows, the last one of fewer.

    Raises:
        OSError: the file is cut.
    """
    (layout, stride, step), (width, height) = _layout(image), image.size
    stride = stride or width * _WIDTHS[layout]
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strips = [(max(top, box[1]), min(bottom, box[3]), box, offset) for _, box, offset, _ in image.tile]
        data = b"".join(
            _read(file, offset + stride * (first - box[1] if step == 1 else box[3] - last), stride * (last - first))
            for first, last, box, offset in strips
            if first < last
        )
        yield pillow.frombytes(image.mode, (width, bottom - top), data, "raw", layout, stride, step)


def _layout(image: Any) -> tuple[str, int, int]:
    """The order of the colours, the bytes from row to row (0: no gap), and 1 if the rows go down or -1 if up."""
    arguments = image.tile[0][3]
    layout, stride, step = (arguments, 0, 1) if isinstance(arguments, str) else (*arguments, 0, 1)[:3]
    return str(layout), stride, step


def _read(file: BinaryIO, start: int, size: int) -> bytes:
    file.seek(start)
    data = file.read(size)
    if len(data) < size:
        raise OSError("the file is cut")
    return data
