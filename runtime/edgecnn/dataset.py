"""A data set: images, what they show, where they come from, and how the float model answered them."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.image_folders import left_out
from edgecnn.npz import npy
from edgecnn.seal import zip_members

SOURCE_MEMBER = "dataset.json"  # of a saved data set
ARRAYS = ("images", "labels", "indices", "probabilities")


@dataclass(frozen=True)
class Source:
    """Where the images of a data set come from, and which float model gave the probabilities."""

    dataset: str  # mnist, digits, ...
    split: str  # calibration, validation or evaluation
    trained_on: bool  # whether the float model was fitted to these images
    weights_sha256: str  # of the float model that gave the probabilities

    def __post_init__(self) -> None:
        for text in (self.dataset, self.split, self.weights_sha256):
            bounds.text(text, "its source")
        if type(self.trained_on) is not bool:
            raise EdgecnnError(f"its trained_on is {bounds.short(self.trained_on)}")


@dataclass(frozen=True)
class Dataset:
    """Images, with their labels and the float model's probabilities if these are known."""

    images: npt.NDArray[np.uint8]  # (n, height, width, channels)
    labels: npt.NDArray[np.int64] | None  # (n,); of a multi-label model (n, labels), 0 or 1
    indices: npt.NDArray[np.generic]  # (n,): the place in the original split, or the file's path in its folder
    probabilities: npt.NDArray[np.float32] | None = None  # (n, classes), the float model's
    source: Source | None = None
    unread: dict[str, str] = field(default_factory=dict)  # files that are not among the images, and why; not saved
    notes: tuple[str, ...] = ()  # what else to know of the images; not saved

    def __len__(self) -> int:
        return len(self.images)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of the images before a model is judged by them: files left out, then the notes."""
        first_cause = [f"{name} {why}" for name, why in self.unread.items()][:1]
        return (*("; ".join((words, *first_cause)) for words in left_out(self.unread, len(self))), *self.notes)

    def take(self, places: slice | npt.NDArray[np.intp]) -> "Dataset":
        """The part of the data set at these places: `data.take(slice(10))` has the first 10 images."""
        return replace(
            self,
            images=self.images[places],
            labels=None if self.labels is None else self.labels[places],
            indices=self.indices[places],
            probabilities=None if self.probabilities is None else self.probabilities[places],
        )

    def sample(self, count: int) -> "Dataset":
        """At most `count` images, in their order and the same ones every time; the first ones may show one class."""
        return self.take(sampled(len(self), count))

    def save(self, path: Path) -> None:
        """Write a sealed `.npz` that numpy reads too; the same content gives the same bytes."""
        members = {SOURCE_MEMBER: json.dumps(asdict(self.source) if self.source else None).encode()}
        for name in ARRAYS:
            if getattr(self, name) is not None:
                members[f"{name}.npy"] = npy(getattr(self, name))
        write_file(path, zip_members(members, compress=True))


def sampled(images: int, count: int) -> npt.NDArray[np.intp]:
    """Places of at most `count` of so many images, sorted, by a seed that does not change."""
    return np.sort(np.random.default_rng(0).permutation(images)[:count])
