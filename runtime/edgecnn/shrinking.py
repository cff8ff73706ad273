"""A picture is shrunk in bands of its rows, and becomes opaque and of 8 bits a channel."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.pillow import ORIENTATION, load_pillow, turned

Pixels = npt.NDArray[np.uint8]

SIDE = 400  # pixels of the longer side, at least, after shrinking, of a picture of a character, which may be small
GAP = 3  # times the wanted sides, at least, after shrinking. Source: Pillow, `reducing_gap` of Image.resize
_BAND = 2**18  # pixels of a band
SAVE = "save it as JPEG or PNG"  # the remedy for other pictures
FAINTEST = 24  # grey levels between ground and ink, below which an image is blank
_DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bits a value that cameras and scanners give


def shrunk(image: Any, mode: str, wanted: tuple[int, int], side: int = SIDE) -> Any:
    """A Pillow image in `mode`, upright, no larger than it needs to be; the arguments are those of `decode`."""
    factor = factor_of(image.size, wanted, side)
    picture = joined([reduced(band, mode, factor) for band in crops(image, factor)], mode)
    return turned(picture, image.getexif().get(ORIENTATION, 1))


def shrunk_pixels(pixels: Pixels, mode: str, wanted: tuple[int, int], side: int = SIDE) -> Any:
    """As `shrunk`, of uint8, (height, width) or (height, width, 3): a band at a time, since pages of memory cost."""
    size = pixels.shape[1], pixels.shape[0]
    factor, pillow = factor_of(size, wanted, side), load_pillow()
    rows = band_rows(size, factor)
    bands = (pillow.fromarray(pixels[top : top + rows]) for top in range(0, len(pixels), rows))
    return joined([reduced(band, mode, factor) for band in bands], mode)


def factor_of(size: tuple[int, int], wanted: tuple[int, int], side: int) -> int:
    """The number of pixels of a side that become one."""
    width, height = size
    return max(1, min(max(size) // side, width // (GAP * wanted[1]), height // (GAP * wanted[0])))


def band_rows(size: tuple[int, int], factor: int) -> int:
    """The rows of a band: a multiple of `factor`."""
    return max(1, _BAND // size[0] // factor) * factor


def crops(image: Any, factor: int) -> Iterator[Any]:
    """The bands of an image."""
    image.load()  # this turns a TIFF upright
    (width, height), rows = image.size, band_rows(image.size, factor)
    for top in range(0, height, rows):
        yield image.crop((0, top, width, min(top + rows, height)))


def reduced(band: Any, mode: str, factor: int) -> npt.NDArray[Any]:
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


def joined(bands: list[npt.NDArray[Any]], mode: str) -> Any:
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
        raise ValueError(f"its values go from {least:g} to {most:g}: {SAVE}")
    scale = 255 if most <= 1 else 256 / next(2.0**bits for bits in _DEPTHS if most < 2**bits)
    return (values * np.float32(scale)).astype(np.uint8)
