"""Checks of a data set's arrays: numpy would broadcast or cut arrays that do not fit, and falsify the verdict."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest

Array = npt.NDArray[Any]


def checked_raw_pixels(path: Path, images: Array) -> npt.NDArray[np.uint8]:
    """`images` with a channel axis.

    Raises:
        EdgecnnError: they are not raw pixels.
    """
    if images.dtype.kind == "f" and np.isnan(images).any():
        raise EdgecnnError(f"{path} holds NaN among its images: store raw pixels, uint8, 0 to 255")
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        kind = f"{images.dtype} with {images.ndim} axes"
        raise EdgecnnError(f"{path} holds images as {kind}: store raw pixels, uint8 (n, height, width, channels)")
    return images if images.ndim == 4 else images[..., np.newaxis]


def checked_labels(
    path: Path, labels: Array | None, images: int, manifest: Manifest
) -> tuple[npt.NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels as int64 (n,), or (n, labels) of a multi-label model; and notes on them.

    Raises:
        EdgecnnError: they are not the model's, or not one class per image (of a multi-label model: 0 or 1 per label).
    """
    if labels is None:
        return None, ()
    classes, several = len(manifest.labels), manifest.multi_label
    shape, highest = ((images, classes), 1) if several else ((images,), classes - 1)
    column = not several and labels.shape == (images, 1)
    if column:
        labels = labels[:, 0]
    if labels.dtype.kind not in "iub" or labels.shape != shape:
        raise EdgecnnError(
            f"{path} holds labels as {labels.dtype} of shape {labels.shape} for {images} images; wanted: whole numbers"
            f" of shape {shape}, 0 to {highest}{_cure(labels, images, several)}"
        )
    if images and not 0 <= labels.min() <= labels.max() <= highest:
        raise EdgecnnError(f"{path} holds labels from {labels.min()} to {labels.max()}; the model's are 0 to {highest}")
    return labels.astype(np.int64), (f"labels of shape ({images}, 1) are read as ({images},)",) if column else ()


def _cure(labels: Array, images: int, several: bool) -> str:
    """How to turn labels of another kind into class numbers, if that is plain."""
    if several or labels.shape[:1] != (images,):
        return ""
    if labels.ndim == 2 and labels.dtype.kind in "iubf":
        return " (one-hot: labels.argmax(axis=1))"
    if labels.dtype.kind == "f":
        return " (labels.astype(int))"
    return " (the place of each among the model's labels)" if labels.dtype.kind in "US" else ""


def checked_indices(path: Path, indices: Array | None, images: int) -> Array:
    """The place, or the file name, of each image; without `indices` 0, 1, 2, ...

    Raises:
        EdgecnnError: they are neither integers nor texts, or not one per image.
    """
    if indices is None:
        return np.arange(images)
    if indices.shape != (images,) or indices.dtype.kind not in "iuU":
        raise EdgecnnError(f"{path} holds {indices.dtype} indices of shape {indices.shape} for {images} images")
    return indices


def checked_probabilities(
    path: Path, probabilities: Array | None, images: int, manifest: Manifest
) -> npt.NDArray[np.float32] | None:
    """The float model's probabilities, as float32 (n, classes).

    Raises:
        EdgecnnError: they are no floats, of another shape, or not finite.
    """
    if probabilities is None:
        return None
    wanted = (images, len(manifest.labels))
    if probabilities.shape != wanted or probabilities.dtype.kind != "f" or not np.isfinite(probabilities).all():
        kind = f"{probabilities.dtype} of shape {probabilities.shape}"
        raise EdgecnnError(f"{path} holds probabilities as {kind}; wanted: finite floats of shape {wanted}")
    return probabilities.astype(np.float32, copy=False)
