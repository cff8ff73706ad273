"""An image file becomes a picture of 8 bits a channel, upright, opaque, and no larger than it need be.

A photograph of 50 megapixels must find room beside a board's other work: a JPEG is decoded at a fraction of its size, a
PNG and an uncompressed picture in bands of rows, and the pixels are shrunk a band at a time. Needs Pillow, from 9.4 on
(Debian 12).
"""

import contextlib
import importlib
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from edgecnn import png, raw_rows
from edgecnn.errors import EdgecnnError
from edgecnn.files import check_regular

Pixels = npt.NDArray[np.uint8]

_SIDE = 1024  # pixels of the longer side, at least, after shrinking: a character in a corner stays readable
_GAP = 3  # times the wanted sides, at least, after shrinking. Source: Pillow, `reducing_gap` of Image.resize
_BAND = 2**18  # pixels of a band
_LARGE = 2**22  # pixels from which a PNG, or an uncompressed picture, is read in bands
FAINTEST = 24  # grey levels between ground and ink, below which an image is blank
_ORIENTATION = 0x0112  # the EXIF tag
_DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bits a value that cameras and scanners give
# The formats that are read: their decoders run no other program, as that of EPS does.
_FORMATS = frozenset(
    ("AVIF", "BMP", "DDS", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "MPO", "PCX", "PNG", "PPM", "TGA", "TIFF", "WEBP")
)
_WHOLE, _MOST_WHOLE = ("AVIF", "JPEG2000", "WEBP"), 25_000_000  # pixels: their libraries take up to 20 bytes a pixel
_HEIC = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypmif1", b"ftypmsf1")  # from the fifth byte on
_SAVE = "save it as JPEG or PNG"


def decode(path: Path, mode: str, wanted: tuple[int, int]) -> Any:
    """Decode an image file.

    Args:
        path: of a format that Pillow reads.
        mode: of the result: `L` or `RGB`.
        wanted: its later height and width; the result has at least `_GAP` times these, or its own size.

    Returns:
        A Pillow image; transparent parts are white, or black if nothing would stand out from white.

    Raises:
        EdgecnnError: Pillow is not installed, the file is missing or does not decode.
        MemoryError: it takes more memory than there is.
    """
    pillow = load_pillow()
    if not path.exists():
        raise EdgecnnError(f"{path} does not exist")
    check_regular(path)
    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # Pillow's on damaged EXIF or many pixels: it decodes, or it does not
            with pillow.open(file) as image:
                _check(path, image)
                return _upright(file, image, mode, wanted)
    except (EdgecnnError, MemoryError):
        raise
    except Exception as error:  # decoders raise whatever they like
        raise EdgecnnError(f"{path} does not decode as an image: {_why(path, error)}") from None


def _check(path: Path, image: Any) -> None:
    """Refuse formats that are not read here, and pictures too large for their library.

    Raises:
        EdgecnnError: with the remedy.
    """
    if image.format not in _FORMATS:
        raise EdgecnnError(f"{path} is {image.format}, which is not read here: {_SAVE}")
    if image.format in _WHOLE and image.size[0] * image.size[1] > _MOST_WHOLE:
        raise EdgecnnError(f"{path} is {image.format} of more than {_MOST_WHOLE:,} pixels: {_SAVE}, or shrink it")


def load_pillow() -> ModuleType:
    """Pillow's module `Image`.

    Raises:
        EdgecnnError: it is not installed.
    """
    try:
        return importlib.import_module("PIL.Image")
    except ImportError:
        from edgecnn.device import install  # a slow import, only for the error

        cure = install("pillow", "python3-pil")
        raise EdgecnnError(f"reading images needs Pillow, the extra 'image': {cure}") from None


def shrunk(image: Any, mode: str, wanted: tuple[int, int]) -> Any:
    """A Pillow image in `mode`, no larger than it needs to be; the arguments are those of `decode`."""
    factor = _factor(image.size, wanted)
    return _joined([_reduced(band, mode, factor) for band in _crops(image, factor)], mode)


def _upright(file: BinaryIO, image: Any, mode: str, wanted: tuple[int, int]) -> Any:
    """`decode` for an open image."""
    from PIL import ImageOps

    factor = _factor(image.size, wanted)
    halved = ";16" in str(image.tile) and not image.mode.startswith("I")  # Pillow takes the upper 8 of 16 bits a colour
    if factor > 1:
        image.draft(mode, tuple(side // factor for side in image.size))  # of a JPEG: it is then smaller
        factor = _factor(image.size, wanted)
    large, rows = image.size[0] * image.size[1] > _LARGE, _rows(image.size, factor)
    if large and image.format == "PNG" and png.splits(file):
        bands = png.bands(file, rows, load_pillow())
        image = next(bands)
        bands = itertools.chain([image], bands)
    elif large and raw_rows.splits(image):
        bands = raw_rows.bands(file, image, rows, load_pillow())
    else:
        bands = _crops(image, factor)
    picture = _joined([_reduced(band, mode, factor) for band in bands], mode)
    if halved and np.asarray(picture).max() < 16:
        raise ValueError(f"its colours seem to have 12 of the 16 bits that they are stored in: {_SAVE}, of 8 bits")
    picture.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return ImageOps.exif_transpose(picture)


def _factor(size: tuple[int, int], wanted: tuple[int, int]) -> int:
    """The number of pixels of a side that become one."""
    width, height = size
    return max(1, min(max(size) // _SIDE, width // (_GAP * wanted[1]), height // (_GAP * wanted[0])))


def _rows(size: tuple[int, int], factor: int) -> int:
    """The rows of a band: a multiple of `factor`."""
    return max(1, _BAND // size[0] // factor) * factor


def _crops(image: Any, factor: int) -> Iterator[Any]:
    """The bands of an image."""
    image.load()  # this turns a TIFF upright
    (width, height), rows = image.size, _rows(image.size, factor)
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(top + rows, height)))


def _reduced(band: Any, mode: str, factor: int) -> npt.NDArray[Any]:
    """The means of `factor` times `factor` pixels of a band.

    Returns:
        In `mode`; or float32 if the band has more than 8 bits; or four channels, colours times alpha and alpha, if it
        is transparent.
    """
    if band.mode.startswith(("I", "F")):
        band = load_pillow().fromarray(np.asarray(band).astype(np.float32))
    elif band.mode in ("LA", "PA", "RGBA") or "transparency" in band.info:
        band = band.convert("RGBA").convert("RGBa")
    else:
        band = band.convert(mode)
    return np.asarray(band.reduce(factor))


def _joined(bands: list[npt.NDArray[Any]], mode: str) -> Any:
    """The picture of reduced bands."""
    pixels = np.concatenate(bands)
    if pixels.dtype != np.uint8:
        pixels = _eight_bits(pixels)
    elif pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = _on_ground(pixels)
    return load_pillow().fromarray(pixels).convert(mode)


def _on_ground(pixels: Pixels) -> Pixels:
    """Colours times alpha, and alpha, on white; on black if nothing would stand out from white."""
    drawn: Pixels = pixels[..., :3]
    on_white: Pixels = drawn + (255 - pixels[..., 3:])
    darkest, _ = load_pillow().fromarray(on_white).convert("L").getextrema()
    return on_white if darkest <= 255 - FAINTEST else drawn


def _eight_bits(values: npt.NDArray[np.float32]) -> Pixels:
    """Values of up to 32 bits, or 0 to 1, as 8 bits.

    The largest value tells the number of bits: 12 are often stored in 16.

    Raises:
        ValueError: they are no intensities.
    """
    least, most = float(values.min()), float(values.max())
    if not 0 <= least <= most < 2.0 ** _DEPTHS[-1]:  # NaN too
        raise ValueError(f"its values go from {least:g} to {most:g}: {_SAVE}")
    scale = 255 if most <= 1 else 256 / next(2.0**bits for bits in _DEPTHS if most < 2**bits)
    return (values * np.float32(scale)).astype(np.uint8)


def _why(path: Path, error: Exception) -> str:
    """The reason why an image does not decode, in words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    with contextlib.suppress(OSError), path.open("rb") as file:
        if file.read(12)[4:] in _HEIC:
            return "it is HEIC, as telephones take it, which Pillow does not read: save it as JPEG"
    if type(error).__name__ == "UnidentifiedImageError":  # Pillow's, loaded on demand; its text names objects
        if not path.stat().st_size:
            return "it is empty: copy it again"
        return f"it is damaged, or of a format that Pillow does not know: {_SAVE}"
    return " ".join(str(error).split())[:200] or f"{type(error).__name__}: {_SAVE}"
