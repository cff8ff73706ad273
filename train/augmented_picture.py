"""A picture of what the network sees: some training images, and copies as the recipe changes them."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from edgecnn.files import write_file
from train.augmentation import augment
from train.decorate import decorating
from train.job import Job, distorted
from train.mixing import mix
from workstation.charts import png

NAME = "augmented.png"
_ROWS, _COPIES = 6, 6  # images, and copies of each
_MIXTURES = 16, 21  # seeds: a third of another picture is blended in, and pasted in


def write_augmented(job: Job, output: Path) -> None:
    """Write the picture into `output`, a row for each of a few images: the original first, mixed copies last."""
    with decorating(NAME):
        indices = np.random.default_rng(job.seed).permutation(job.fitted_indices)[:_ROWS]
        images, labels = job.data.train_images[indices], job.data.train_labels[indices]
        columns = [images, *(_copies(job, indices, column) for column in range(_COPIES))]
        if job.recipe.mixing:
            columns += [_mixed(copies, seed) for copies, seed in zip(columns[-2:], _MIXTURES, strict=True)]
        write_file(output / NAME, _drawn(columns, [job.data.labels[label] for label in labels]))


def _copies(job: Job, indices: npt.NDArray[np.intp], number: int) -> npt.NDArray[np.uint8]:
    images = distorted(job, indices, job.seed, number)
    return augment(images, job.augmentation, np.random.default_rng(number)) if job.augmentation else images


def _mixed(images: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
    random, targets = np.random.default_rng(seed), np.zeros((len(images), 1), np.float32)
    mixed: npt.NDArray[np.uint8] = np.rint(mix(images.astype(np.float32), targets, random)[0]).astype(np.uint8)
    return mixed


def _drawn(columns: list[npt.NDArray[np.uint8]], names: list[str]) -> bytes:
    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False, "font.size": 8}):
        figure = Figure(figsize=(1.15 * len(columns), 1.25 * len(names)), layout="constrained")
        grid: Any = figure.subplots(len(names), len(columns), squeeze=False)
        for column, images in enumerate(columns):
            heading = "original" if column == 0 else "mixed" if column > _COPIES else "seen"
            grid[0, column].set_title(heading, fontsize=8)
            for axes, image in zip(grid[:, column], images, strict=True):
                axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
                axes.set(xticks=[], yticks=[])
        for axes, name in zip(grid[:, 0], names, strict=True):
            axes.set_ylabel(name)
        return png(figure)
