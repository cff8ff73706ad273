"""`ImageInput`: how raw images get into the input of a model file."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.interpreters import Array, Engine, TensorSpec
from edgecnn.manifest import Input
from edgecnn.pixels import writer

Image = npt.NDArray[np.uint8]


class ImageInput:
    """The input of a model file, for raw images.

    Args:
        wanted: the input as the manifest says.
        tensor: the file's own input.

    Attributes:
        shapes: that an image may have: (height, width, channels), and (height, width) if there is one channel.
    """

    def __init__(self, wanted: Input, tensor: TensorSpec) -> None:
        height, width, channels = shape = wanted.shape
        self.shapes: tuple[tuple[int, ...], ...] = (shape, (height, width)) if channels == 1 else (shape,)
        self._tensor, self._planes, self._write = tensor, wanted.layout == "NCHW", writer(wanted, tensor)

    def checked(self, image: Any) -> Image:
        """An image as an array of uint8.

        Raises:
            EdgecnnError: it has another shape or dtype.
        """
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8 or pixels.shape not in self.shapes:
            have, want = ("x".join(map(str, sides)) for sides in (pixels.shape, self.shapes[0]))
            raise EdgecnnError(
                f"the image is {pixels.dtype} {have}; this model takes raw pixels: uint8 {want}, 0 to 255"
            )
        return pixels

    def put(self, image: Image, engine: Engine, number: int = 0) -> None:
        """Write an image of one of the shapes into its place of an engine's input: `number` within the batch."""
        place: Array = engine.feed()[number]
        pixels = image if image.ndim == 3 else image[..., np.newaxis]
        self._write(pixels, place.transpose(1, 2, 0) if self._planes else place)

    def put_stored(self, stored: bytes, engine: Engine) -> None:
        """Write the bytes of an image, as the tensor stores it, into an engine's input.

        Raises:
            EdgecnnError: they are too few or too many.
        """
        shape, dtype = self._tensor.shape, self._tensor.dtype
        if len(stored) != math.prod(shape[1:]) * dtype.itemsize:
            raise EdgecnnError(f"the input has {len(stored):,} bytes; this model takes {shape} {dtype}")
        np.copyto(engine.feed()[0], np.frombuffer(stored, dtype).reshape(shape[1:]))
