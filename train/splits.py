"""Which images of the training split serve for calibration, for validation and for the fit."""

import numpy as np
import numpy.typing as npt

from train.recipes import Recipe

CALIBRATION, VALIDATION = 1000, 5000  # images; fewer where the split is small
_SEED = 0  # the same images whatever the training's seed

Indices = npt.NDArray[np.intp]


def split_off(images: int) -> tuple[Indices, Indices]:
    """Indices, sorted and disjoint, of the images for calibration and for validation out of a training split."""
    calibration, validation = min(CALIBRATION, images // 8), min(VALIDATION, images // 4)
    order = np.random.default_rng(_SEED).permutation(images)
    return np.sort(order[:calibration]), np.sort(order[calibration : calibration + validation])


def fitted_indices(images: int, recipe: Recipe) -> Indices:
    """Indices of the images that a recipe fits the network to."""
    everything = np.arange(images)
    return np.setdiff1d(everything, split_off(images)[1]) if recipe.holds_out_validation else everything
