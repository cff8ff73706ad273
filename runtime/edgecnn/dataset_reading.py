"""Images on disk: the `.npz` files that training writes, others with an array `images`, and folders of images."""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.dataset import ARRAYS, SOURCE_MEMBER, Dataset, Source
from edgecnn.dataset_arrays import checked_indices, checked_labels, checked_probabilities, checked_raw_pixels
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.folders import ImageFolder, find_images, read_images
from edgecnn.labels import composed, listed
from edgecnn.manifest import Input, Manifest
from edgecnn.modelfile import MEMBER
from edgecnn.npz import load_npy
from edgecnn.seal import check_seal, has_sealed_zip, unzip_members

_ENOUGH = 10  # images: fewer may well be of one class


def read_dataset(path: Path | str, manifest: Manifest) -> Dataset:
    """Read the images that `path` holds, for a model with this manifest.

    Args:
        path: an `.npz` that training wrote, or another with uint8 `images` and, if known, integer `labels` (n,); or a
            folder of images, with a folder for each label if they are known.
        manifest: the model's.

    Raises:
        EdgecnnError: it is missing, damaged or empty, or its images or labels are not the model's.
    """
    path = Path(path)
    data = _read_folder(path, manifest) if path.is_dir() else _read_npz(path, manifest)
    if len(data) == 0:
        raise EdgecnnError(f"{path} holds no images")
    if data.images.shape[1:] != manifest.input.shape:
        have, want = ("x".join(map(str, shape)) for shape in (data.images.shape[1:], manifest.input.shape))
        raise EdgecnnError(f"{path} holds images of {have}, the model takes {want}")
    return replace(data, notes=(*data.notes, *_doubts(data, manifest)))


def read_answered(path: Path, manifest: Manifest) -> Dataset:
    """Read images that have labels and the float model's answers, as those of a training do.

    Raises:
        EdgecnnError: as `read_dataset`; or they have not both.
    """
    data = read_dataset(path, manifest)
    if data.labels is None or data.probabilities is None:
        lacking = "labels" if data.labels is None else "answers of the float model"
        raise EdgecnnError(f"{path} holds no {lacking}: take the .npz that python -m train wrote")
    return data


def _read_npz(path: Path, manifest: Manifest) -> Dataset:
    data = read_file(path)
    sealed = has_sealed_zip(data)
    if sealed:
        check_seal(str(path), data)
    try:
        members = unzip_members(data)
        if SOURCE_MEMBER in members and not sealed:
            raise EdgecnnError(f"{path} is damaged, its seal is gone: copy it again")
        if MEMBER in members:
            raise EdgecnnError(f"{path} is a model, not a data set of edgecnn: name an .npz or a folder of images")
        if "images.npy" not in members:
            raise EdgecnnError(f"{path} has no array images{_instead(set(members))}")
        arrays = {name: load_npy(members[f"{name}.npy"]) for name in ARRAYS if f"{name}.npy" in members}
        source = _source(members[SOURCE_MEMBER]) if sealed else None
        images = checked_raw_pixels(path, arrays["images"])
    except (zipfile.BadZipFile, zlib.error, NotImplementedError):
        raise EdgecnnError(
            f"{path} is no .npz file, or it was cut short: name an .npz or a folder, or copy it again"
        ) from None
    except (KeyError, ValueError, TypeError, EOFError, MemoryError) as error:
        raise EdgecnnError(f"{path} is not a data set of edgecnn ({error}): make it with python -m train") from None
    labels, notes = checked_labels(path, arrays.get("labels"), len(images), manifest)
    indices = checked_indices(path, arrays.get("indices") if sealed else None, len(images))
    probabilities = checked_probabilities(path, arrays.get("probabilities") if sealed else None, len(images), manifest)
    return Dataset(images, labels, indices, probabilities, source, notes=notes)


def _instead(members: set[str]) -> str:
    """What a ZIP without images holds, and what to do with it."""
    arrays = {name.removesuffix(".npy") for name in members if name.endswith(".npy")}
    if members and not arrays:
        return ", but files: unpack it and name the folder"
    return f", but {listed(arrays) or 'nothing'}: np.savez(path, images=..., labels=...)"


def _source(text: bytes) -> Source | None:
    """The source that a member tells.

    Raises:
        ValueError, TypeError: it tells none.
    """
    try:
        document = bounds.parsed(text)
        return None if document is None else Source(**document)
    except EdgecnnError as error:
        raise ValueError(str(error)) from None


def _read_folder(folder: Path, manifest: Manifest) -> Dataset:
    places = {composed(label): place for place, label in enumerate(manifest.labels)}
    found = find_images(folder, tuple(places))
    classes = {name for name, files in found.classes.items() if files}
    strange = classes - set(places)
    if strange or not (classes or found.loose):
        what = f"folders named {listed(strange)}" if strange else "no images in it"
        raise EdgecnnError(f"{folder} has {what}; wanted: a folder a label, of {listed(manifest.labels)}")
    if classes and manifest.multi_label:
        raise EdgecnnError(
            f"{folder} has a folder a label, but an image may show several: give an .npz with labels (n, labels)"
        )
    return of_folder(found, places, manifest.input)


def of_folder(
    found: ImageFolder,
    places: Mapping[str, int],
    wanted: Input,
    watch: Callable[[list[Path]], Iterable[Path]] = iter,
) -> Dataset:
    """Read the images that were found in a folder.

    Args:
        found: where they are.
        places: the place of each class among the labels, by its name.
        wanted: what they are read for.
        watch: gives each of the files back as it is to be read, and may show how far this is.

    Raises:
        EdgecnnError: none can be read.
    """
    files = [path for paths in found.classes.values() for path in paths] or found.loose
    images, readable, unread = read_images(found, files, wanted, watch)
    classes = [places[name] for name, paths in found.classes.items() for _ in paths]
    names = np.array([found.name_of(path) for path in files])[readable]
    labels = np.array(classes, np.int64)[readable] if classes else None
    beside = {found.name_of(path) for path in found.loose} if classes else set()
    notes = (f"left out, since in no folder of a class: {listed(beside)}",) if beside else ()
    return Dataset(np.stack(images), labels, names, unread=unread, notes=notes)


def _doubts(data: Dataset, manifest: Manifest) -> list[str]:
    """What makes images unfit to calibrate or to judge by, though all of them can be read."""
    images, count = data.images.reshape(len(data), -1), len(data)
    plain = int((images.max(axis=1) == images.min(axis=1)).sum())
    doubts = []
    if not images.any():
        doubts.append(f"all {count:,} images are black")
    elif count > 1 and (images.max(axis=0) == images.min(axis=0)).all():
        doubts.append(f"all {count:,} images are the same")
    elif 2 * plain >= count:
        doubts.append(f"{plain:,} of {count:,} images are of one colour")
    if data.probabilities is not None and not manifest.multi_label:
        doubts += one_answer(data.probabilities.argmax(axis=1), manifest.labels, "the float model")
    return doubts


def one_answer(answers: npt.NDArray[np.intp], labels: tuple[str, ...], who: str) -> list[str]:
    """What to say of a model that tells nothing apart, where there are images enough to say so."""
    if len(answers) < _ENOUGH or (answers != answers[0]).any():
        return []
    return [f"{who} gives all {len(answers):,} images one answer, {labels[answers[0]]}"]
