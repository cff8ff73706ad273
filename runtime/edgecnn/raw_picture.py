"""Pictures as cameras and pipes send them: planes of bytes in one of five layouts, with a gap behind each row or none.

- `grey`, `rgb`, `bgr`: a plane of 1 or 3 bytes a pixel.
- `yuv420`: the brightness of each pixel; then blueness, then redness, a byte for 2x2 pixels each.
- `nv12`: the brightness of each pixel; then blueness and redness of 2x2 pixels side by side.

Sources: the Linux kernel's V4L2 pixel formats (V4L2_PIX_FMT_YUV420 and NV12); for the colours JFIF 1.02, page 3: full
range, ITU-R BT.601, as rpicam-vid asks libcamera for with `--codec yuv420` (libcamera::ColorSpace::Sycc).
"""

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.source_names import WIDTHS

Pixels = npt.NDArray[np.uint8]

_DISTANCE = np.arange(256) - 128  # of blueness and redness from grey
_RED, _BLUE = (np.rint(factor * _DISTANCE).astype(np.int16) for factor in (1.402, 1.772))
_BITS = 6  # behind the binary point of what green is less
_GREEN_RED, _GREEN_BLUE = (np.rint(factor * _DISTANCE * 2**_BITS).astype(np.int16) for factor in (0.714136, 0.344136))


@dataclass(frozen=True)
class Layout:
    """How the bytes of a picture lie.

    Attributes:
        pixels: the name of the layout, one of `WIDTHS`.
        width, height: pixels.
        stride: bytes from row to row in the first plane; 0 stands for no gap.
        left: pixels of a row, an even number, that are left out before the first one; only where one has one byte.
    """

    pixels: str
    width: int
    height: int
    stride: int = 0
    left: int = 0

    def __post_init__(self) -> None:
        bounds.whole(self.width * self.height, "pixels of a frame", 1, bounds.VALUES)
        bounds.whole(self.stride, "the stride", 0, bounds.SIDE * 4)
        least = (self.left + self.width) * WIDTHS[self.pixels]
        if self.stride and self.stride < least:
            raise EdgecnnError(f"a row has {least} bytes at least: the stride cannot be {self.stride}")

    @property
    def row(self) -> int:
        """Bytes from row to row in the first plane."""
        return self.stride or self.width * WIDTHS[self.pixels]

    @property
    def size(self) -> int:
        """Bytes of a picture."""
        return self.row * self.height + self.chroma_planes * self.chroma_row * self.chroma_height

    @property
    def chroma_planes(self) -> int:
        """Planes behind the first one."""
        return {"yuv420": 2, "nv12": 1}.get(self.pixels, 0)

    @property
    def chroma_row(self) -> int:
        """Bytes from row to row in these planes."""
        return (self.row + 1) // 2 * (3 - self.chroma_planes)

    @property
    def chroma_height(self) -> int:
        """Rows of these planes."""
        return (self.height + 1) // 2


@dataclass(frozen=True)
class RawPicture:
    """A picture of a camera: its bytes, uint8, (layout.size,), and how they lie. Nobody writes into it."""

    octets: Pixels
    layout: Layout

    def channels(self, number: int) -> Pixels:
        """As a model with so many channels takes it: grey for one, else red, green, blue."""
        return self.grey() if number == 1 else self.rgb()

    def grey(self) -> Pixels:
        """Brightness, uint8, (height, width); of the first plane where that is brightness: then nothing is copied."""
        opencv = sys.modules.get("cv2")  # who has it already gets its speed: most frames of this layout are its own
        if opencv and self.layout.pixels == "bgr":
            grey: Pixels = opencv.cvtColor(self._colour_rows(), opencv.COLOR_BGR2GRAY)
            return grey
        if self.layout.pixels in ("rgb", "bgr"):
            return _brightness(self.rgb())
        layout = self.layout
        return self._plane(0, layout.row, layout.height)[:, layout.left : layout.left + layout.width]

    def rgb(self) -> Pixels:
        """Red, green, blue: uint8, (height, width, 3)."""
        layout = self.layout
        if layout.pixels == "grey":
            return np.repeat(self.grey()[..., np.newaxis], 3, axis=2)
        if layout.chroma_planes:
            return _colours(self.grey(), *self._chroma())
        pixels = self._colour_rows()
        return pixels if layout.pixels == "rgb" else pixels[..., ::-1]

    def _colour_rows(self) -> Pixels:
        """The plane of a layout with 3 bytes a pixel, (height, width, 3)."""
        layout = self.layout
        rows = self._plane(0, layout.row, layout.height)[:, : 3 * layout.width]
        return rows.reshape(layout.height, layout.width, 3)

    def _plane(self, start: int, row: int, height: int) -> Pixels:
        return self.octets[start : start + row * height].reshape(height, row)

    def _chroma(self) -> tuple[Pixels, Pixels]:
        """Blueness and redness, (half the height, half the width), both rounded up."""
        layout, start = self.layout, self.layout.row * self.layout.height
        planes = [
            self._plane(
                start + number * layout.chroma_row * layout.chroma_height, layout.chroma_row, layout.chroma_height
            )
            for number in range(layout.chroma_planes)
        ]
        left, right = layout.left // 2, (layout.left + layout.width + 1) // 2
        if layout.pixels == "nv12":
            return planes[0][:, 2 * left : 2 * right : 2], planes[0][:, 2 * left + 1 : 2 * right : 2]
        return planes[0][:, left:right], planes[1][:, left:right]


def _brightness(rgb: Pixels) -> Pixels:
    """Grey of colours, as Pillow's mode L has it (ITU-R BT.601, 16 bits behind the point)."""
    red, green, blue = (rgb[..., channel].astype(np.uint32) for channel in range(3))
    grey: Pixels = ((red * 19595 + green * 38470 + blue * 7471 + 2**15) >> 16).astype(np.uint8)
    return grey


def _colours(luma: Pixels, blueness: Pixels, redness: Pixels) -> Pixels:
    """Red, green, blue, (height, width, 3), of brightness and of the two planes of half its sides."""
    green = -((_GREEN_BLUE[blueness] + _GREEN_RED[redness] + 2 ** (_BITS - 1)) >> _BITS)
    colours = np.empty((*luma.shape, 3), np.uint8)
    height, width = luma.shape
    for channel, offsets in enumerate((_RED[redness], green, _BLUE[blueness])):
        sums = offsets.repeat(2, axis=0)[:height].repeat(2, axis=1)[:, :width]
        np.add(sums, luma, out=sums)
        colours[..., channel] = np.clip(sums, 0, 255, out=sums)
    return colours
