"""Views of a framed character: turned and scaled a little, as others hold their pen and their camera.

The mean of a network's answers to all of them is right more often than its answer to one, and it is less sure of what
is no character at all: such a thing rarely looks like the same character from all sides.
"""

import math

import numpy as np
import numpy.typing as npt

from edgecnn.morphology import Pixels
from edgecnn.pillow import load_pillow

_DEGREES = (15.0, -15.0, 30.0, -30.0, 45.0, -45.0)
_ZOOMS = (0.9, 1.1)


def views(framed: Pixels) -> list[Pixels]:
    """The picture itself, then its views.

    Args:
        framed: uint8, (height, width, 1): a character on black, centred by mass.

    Returns:
        Pictures of the same shape.
    """
    turned = [_view(framed, math.radians(degrees), 1.0) for degrees in _DEGREES]
    return [framed, *turned, *(_view(framed, 0.0, zoom) for zoom in _ZOOMS)]


def _view(framed: Pixels, angle: float, zoom: float) -> Pixels:
    height, width, channels = framed.shape
    turn = np.array(((math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle)))) / zoom
    middle = np.array((width, height)) / 2
    offset = middle - turn @ middle
    pillow = load_pillow()
    image = pillow.fromarray(framed[..., 0] if channels == 1 else framed)
    places = (*turn[0], offset[0], *turn[1], offset[1])  # from which each pixel comes
    view: npt.NDArray[np.uint8] = np.asarray(
        image.transform((width, height), pillow.Transform.AFFINE, places, pillow.Resampling.BILINEAR)
    )
    return view.reshape(framed.shape)
