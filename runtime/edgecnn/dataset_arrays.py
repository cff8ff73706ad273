"""What the arrays of a data set must be: numpy would broadcast or cut what does not fit, and judge by that."""

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
    """Labels as a data set has them, and what there is to say of them.

    Raises:
        EdgecnnError: they are not the model's, or not one class an image (of a model with several labels: 0 or 1 for
            each).
    """
    if labels is None:
        return None, ()
    classes = len(manifest.labels)
    several = manifest.multi_label
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
    return labels.astype(np.int64), (f"labels of shape ({images}, 1) are taken as ({images},)",) if column else ()


def _cure(labels: Array, images: int, several: bool) -> str:
    """What to do about labels of another kind, where that is plain."""
    if several or labels.shape[:1] != (images,):
        return ""
    if labels.ndim == 2 and labels.dtype.kind in "iubf":
        return " (one-hot: labels.argmax(axis=1))"
    if labels.dtype.kind == "f":
        return " (labels.astype(int))"
    return " (each one's place among the model's labels)" if labels.dtype.kind in "US" else ""


def checked_indices(path: Path, indices: Array | None, images: int) -> Array:
    """The place, or the name, of each image; without any, they are counted.

    Raises:
        EdgecnnError: they are of another kind or number.
    """
    if indices is None:
        return np.arange(images)
    if indices.shape != (images,) or indices.dtype.kind not in "iuU":
        raise EdgecnnError(f"{path} holds {indices.dtype} indices of shape {indices.shape} for {images} images")
    return indices


def checked_probabilities(
    path: Path, probabilities: Array | None, images: int, manifest: Manifest
) -> npt.NDArray[np.float32] | None:
    """What the float model made of the images, as float32 (n, classes).

    Raises:
        EdgecnnError: it is of another kind or shape, or not finite.
    """
    if probabilities is None:
        return None
    wanted = (images, len(manifest.labels))
    if probabilities.shape != wanted or probabilities.dtype.kind != "f" or not np.isfinite(probabilities).all():
        kind = f"{probabilities.dtype} of shape {probabilities.shape}"
        raise EdgecnnError(f"{path} holds probabilities as {kind}; wanted: finite floats of shape {wanted}")
    return probabilities.astype(np.float32, copy=False)
