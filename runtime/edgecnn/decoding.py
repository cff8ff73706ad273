"""An image file becomes a picture of 8 bits a channel, upright, opaque, and no larger than it needs to be.

A photograph of 50 megapixels must find room beside a board's other work: a JPEG is decoded at a fraction of its size, a
PNG and an uncompressed picture in bands of rows, and the pixels are shrunk a band at a time. Needs Pillow, from 9.4 on
(Debian 12).
"""

import contextlib
import io
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from edgecnn import png_rows, raw_rows
from edgecnn.errors import EdgecnnError, PictureFormatError, PictureSizeError
from edgecnn.files import check_regular
from edgecnn.pillow import ORIENTATION, load_pillow, turned
from edgecnn.shrinking import SAVE, SIDE, band_rows, crops, factor_of, joined, reduced

_LARGE = 2**22  # pixels from which a PNG, or an uncompressed picture, is read in bands
# The formats that are read: their decoders run no other program, as that of EPS does.
_FORMATS = frozenset(
    ("AVIF", "BMP", "DDS", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "TGA", "TIFF", "WEBP")
)
_WHOLE, _MOST_WHOLE = ("AVIF", "JPEG2000", "WEBP"), 25_000_000  # pixels: their libraries take up to 20 bytes a pixel
_ANIMATED = ("AVIF", "GIF", "PNG", "WEBP")  # other formats hold a preview beside the picture, or pages
MOST_PIXELS = 2**40  # pixels, where the caller has no bound: Pillow has one
_KINDS = {"UnidentifiedImageError": PictureFormatError, "DecompressionBombError": PictureSizeError}  # Pillow's
_HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypmif1", b"ftypmsf1")  # from the fifth byte on


def decode(picture: Path | bytes, mode: str, wanted: tuple[int, int], side: int = SIDE, most: int = MOST_PIXELS) -> Any:
    """Decode an image file.

    Args:
        picture: the path of a file that Pillow reads, or its bytes.
        mode: of the result: `L` or `RGB`.
        wanted: its later height and width; the result has at least `shrinking.GAP` times these, or its own size.
        side: pixels that its longer side has at least, or its own.
        most: pixels of the picture as it is stored.

    Returns:
        A Pillow image; transparent parts are white, or black if nothing would stand out from white.

    Raises:
        PictureFormatError: it is no picture, or of a format that is not read here.
        PictureSizeError: it has more pixels.
        EdgecnnError: Pillow is not installed, the file is missing or does not decode.
        MemoryError: it takes more memory than there is.
    """
    with _opened(picture, most) as (file, image):
        return _upright(file, image, mode, wanted, side)


def header(path: Path) -> tuple[tuple[int, int], str]:
    """Width and height of an image file as it is stored, and Pillow's mode; no pixel is decoded.

    Raises:
        EdgecnnError: as `decode`.
    """
    with _opened(path) as (_, image):
        return image.size, image.mode


@contextlib.contextmanager
def _opened(picture: Path | bytes, most: int = MOST_PIXELS) -> Iterator[tuple[BinaryIO, Any]]:
    """The open file of an image, and Pillow's image.

    Raises:
        EdgecnnError: as `decode`, also for what its user raises.
    """
    pillow, name = load_pillow(), _name(picture)
    try:
        with warnings.catch_warnings(), _stream(picture) as file:
            warnings.simplefilter("ignore")  # Pillow's on damaged EXIF or many pixels: it decodes, or it does not
            with pillow.open(file) as image:
                _check(name, image, most)
                yield file, image
    except (EdgecnnError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they like
        kind = _KINDS.get(type(error).__name__, EdgecnnError)
        raise kind(f"{name} does not decode as an image: {_why(picture, error)}") from None


def _name(picture: Path | bytes) -> str:
    return "the picture" if isinstance(picture, bytes) else str(picture)


def _stream(picture: Path | bytes) -> BinaryIO:
    if isinstance(picture, bytes):
        return io.BytesIO(picture)
    if not picture.exists():
        raise EdgecnnError(f"{picture} does not exist")
    check_regular(picture)
    return picture.open("rb")


def _check(name: str, image: Any, most: int) -> None:
    """Refuse formats that are not read here, animations, and pictures too large for their library.

    Raises:
        EdgecnnError: with the remedy.
    """
    pixels = image.size[0] * image.size[1]
    if image.format not in _FORMATS:
        raise PictureFormatError(f"{name} is {image.format}, which is not read here: {SAVE}")
    if image.format in _ANIMATED and getattr(image, "is_animated", False):
        raise EdgecnnError(f"{name} is an animation: save the picture of it that counts as JPEG or PNG")
    if image.format in _WHOLE and pixels > _MOST_WHOLE:
        raise PictureSizeError(f"{name} is {image.format} of more than {_MOST_WHOLE:,} pixels: {SAVE}, or shrink it")
    if pixels > most:
        raise PictureSizeError(f"{name} has {pixels:,} pixels, at most {most:,} are read: shrink it")


def _upright(file: BinaryIO, image: Any, mode: str, wanted: tuple[int, int], side: int) -> Any:
    """`decode` for an open image."""
    factor = factor_of(image.size, wanted, side)
    halved = ";16" in str(image.tile) and not image.mode.startswith("I")  # Pillow takes the upper 8 of 16 bits a colour
    if factor > 1:
        image.draft(mode, tuple(length // factor for length in image.size))  # of a JPEG: it is then smaller
        factor = factor_of(image.size, wanted, side)
    large, rows = image.size[0] * image.size[1] > _LARGE, band_rows(image.size, factor)
    if large and image.format == "PNG" and png_rows.splits(file):
        bands = png_rows.bands(file, rows, load_pillow())
        image = next(bands)
        bands = itertools.chain([image], bands)
    elif large and raw_rows.splits(image):
        bands = raw_rows.bands(file, image, rows, load_pillow())
    else:
        bands = crops(image, factor)
    picture = joined([reduced(band, mode, factor) for band in bands], mode)
    if halved and np.asarray(picture).max() < 16:
        raise ValueError(f"its colours seem to have 12 of the 16 bits that they are stored in: {SAVE}, of 8 bits")
    return turned(picture, image.getexif().get(ORIENTATION, 1))


def _why(picture: Path | bytes, error: Exception) -> str:
    """The reason why an image does not decode, in words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    start = b""
    with contextlib.suppress(OSError), _stream(picture) as file:
        start = file.read(12)
    if start[4:] in _HEIC:
        return "it is HEIC, as telephones take it, which Pillow does not read: save it as JPEG"
    if type(error).__name__ == "DecompressionBombError":
        most = 2 * int(load_pillow().MAX_IMAGE_PIXELS)
        return f"it claims more than {most:,} pixels, the most that are read: shrink it"
    if type(error).__name__ == "UnidentifiedImageError":  # Pillow's, loaded on demand; its text names objects
        if not start:
            return "it is empty: copy it again"
        return f"it is damaged, or of a format that Pillow does not know: {SAVE}"
    return " ".join(str(error).split())[:200] or f"{type(error).__name__}: {SAVE}"
