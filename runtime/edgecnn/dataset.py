"""Images on disk: the `.npz` files that training writes, others with an array `images`, and folders of images."""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.files import check_seal, has_sealed_zip, load_npy, read_file, unzip_members, write_file, zip_members
from edgecnn.images import SUFFIXES, read_image
from edgecnn.manifest import Manifest

_MEMBER = "dataset.json"
_ARRAYS = ("images", "labels", "indices", "probabilities")


@dataclass(frozen=True)
class Source:
    """Where the images of a data set come from, and who gave the probabilities."""

    dataset: str  # mnist, digits, ...
    split: str  # calibration, validation or evaluation
    trained_on: bool  # whether the float model was fitted to these images
    weights_sha256: str  # of the float model that gave the probabilities


@dataclass(frozen=True)
class Dataset:
    """Images, what they show where that is known, and what the float model made of them."""

    images: npt.NDArray[np.uint8]  # (n, height, width, channels)
    labels: npt.NDArray[np.int64] | None  # (n,)
    indices: npt.NDArray[np.generic]  # (n,): the place in the original split, or the file's path
    probabilities: npt.NDArray[np.float32] | None = None  # (n, classes), the float model's
    source: Source | None = None

    def __len__(self) -> int:
        return len(self.images)

    def save(self, path: Path) -> None:
        """Write a sealed `.npz` that numpy reads too; the same content gives the same bytes."""
        members = {_MEMBER: json.dumps(asdict(self.source) if self.source else None).encode()}
        for name in _ARRAYS:
            buffer = io.BytesIO()
            np.save(buffer, getattr(self, name), allow_pickle=False)
            members[f"{name}.npy"] = buffer.getvalue()
        write_file(path, zip_members(members, compress=True))


def read_dataset(path: Path | str, manifest: Manifest) -> Dataset:
    """Read the images that `path` holds, for a model with this manifest.

    Args:
        path: an `.npz` that training wrote, or another with uint8 `images` and, if known, integer `labels`; or a folder
            of images, with a folder for each label if they are known.
        manifest: the model's.

    Raises:
        EdgecnnError: it is missing, damaged or empty, or its images or labels are not the model's.
    """
    path = Path(path)
    data = _read_folder(path, manifest) if path.is_dir() else _read_npz(path)
    if len(data) == 0:
        raise EdgecnnError(f"{path} holds no images")
    if data.images.shape[1:] != manifest.input.shape:
        have, want = ("x".join(map(str, shape)) for shape in (data.images.shape[1:], manifest.input.shape))
        raise EdgecnnError(f"{path} holds images of {have}, the model takes {want}")
    if data.labels is not None and not 0 <= data.labels.min() <= data.labels.max() < len(manifest.labels):
        raise EdgecnnError(f"{path} holds labels beyond the model's {len(manifest.labels)}")
    return data


def _read_npz(path: Path) -> Dataset:
    data = read_file(path)
    sealed = has_sealed_zip(data)
    if sealed:
        check_seal(str(path), data)
    try:
        members = unzip_members(data)
        arrays = {name: load_npy(members[f"{name}.npy"]) for name in _ARRAYS if f"{name}.npy" in members}
        images = _raw_pixels(path, arrays["images"])
        if sealed:
            source = Source(**json.loads(members[_MEMBER]))
            return Dataset(images, arrays["labels"], arrays["indices"], arrays["probabilities"], source)
    except (zipfile.BadZipFile, zlib.error):
        raise EdgecnnError(f"{path} is no .npz file, or it was cut short: copy it again") from None
    except (KeyError, ValueError, TypeError) as error:
        raise EdgecnnError(f"{path} is not a data set of edgecnn ({error}): make it with python -m train") from None
    if _MEMBER in members:
        raise EdgecnnError(f"{path} is damaged, its seal is gone: copy it again")
    labels = arrays["labels"].astype(np.int64) if "labels" in arrays else None
    return Dataset(images, labels, np.arange(len(images)))


def _raw_pixels(path: Path, images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
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


def _read_folder(folder: Path, manifest: Manifest) -> Dataset:
    nested = [file for file in sorted(folder.glob("*/*")) if file.suffix.lower() in SUFFIXES]
    files = nested or [file for file in sorted(folder.glob("*")) if file.suffix.lower() in SUFFIXES]
    strange = {file.parent.name for file in nested} - set(manifest.labels)
    if strange or not files:
        found = f"folders named {_listed(strange)}" if strange else "no images in it"
        raise EdgecnnError(f"{folder} has {found}; wanted: a folder a label, of {_listed(manifest.labels)}")
    labels = np.array([manifest.labels.index(file.parent.name) for file in nested]) if nested else None
    names = np.array([str(file.relative_to(folder)) for file in files])
    return Dataset(np.stack([read_image(file, manifest.input) for file in files]), labels, names)


def _listed(names: Sequence[str] | set[str]) -> str:
    shown = sorted(names)[:12]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")


def split_labels(words: str) -> tuple[str, ...]:
    """The classes that `--labels` names in order: separated by commas, or in a file with one a line.

    Raises:
        EdgecnnError: one stands there twice.
    """
    text = read_file(Path(words)).decode() if Path(words).is_file() else words.replace(",", "\n")
    labels = tuple(line.strip() for line in text.splitlines() if line.strip())
    if len(set(labels)) != len(labels):
        raise EdgecnnError(f"--labels {words}: a label stands there twice")
    return labels
