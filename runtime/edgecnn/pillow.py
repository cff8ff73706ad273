"""Pillow, which is imported on demand: the extra `image`."""

import importlib
from types import ModuleType
from typing import Any

from edgecnn.errors import EdgecnnError

ORIENTATION = 0x0112  # the EXIF tag


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


def turned(picture: Any, orientation: int) -> Any:
    """A Pillow image as its EXIF orientation tells to view it."""
    picture.getexif()[ORIENTATION] = orientation
    return importlib.import_module("PIL.ImageOps").exif_transpose(picture)
