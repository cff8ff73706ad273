"""Images on disk: the `.npz` files that training writes, others with an array `images`, and folders of images."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.dataset import ARRAYS, SOURCE_MEMBER, Dataset, Source
from edgecnn.dataset_arrays import checked_indices, checked_labels, checked_probabilities, checked_raw_pixels
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.image_folders import ImageFolder, find_images, read_images
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
        raise EdgecnnError(f"{path} holds images of {have}, the model takes {want}: scale them")
    return replace(data, notes=(*data.notes, *_doubts(data, manifest)))


def read_answered(path: Path, manifest: Manifest) -> Dataset:
    """Read images with labels and the float model's answers, as `python -m train` writes them.

    Raises:
        EdgecnnError: as `read_dataset`; or labels or answers are missing.
    """
    data = read_dataset(path, manifest)
    if data.labels is None or data.probabilities is None:
        lacking = "labels" if data.labels is None else "answers of the float model"
        raise EdgecnnError(f"{path} holds no {lacking}: use the .npz that python -m train wrote")
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
    """The content of a ZIP without images, and the remedy."""
    arrays = {name.removesuffix(".npy") for name in members if name.endswith(".npy")}
    if members and not arrays:
        return ", but files: unpack it and name the folder"
    return f", but {listed(arrays) or 'nothing'}: np.savez(path, images=..., labels=...)"


def _source(text: bytes) -> Source | None:
    """The source of the images, from its member in the file.

    Raises:
        ValueError, TypeError: the member holds none.
    """
    try:
        document = bounds.parsed(text)
        return None if document is None else Source(**document)
    except EdgecnnError as error:
        raise ValueError(str(error)) from None


def _read_folder(folder: Path, manifest: Manifest) -> Dataset:
    places = {composed(label): place for place, label in enumerate(manifest.labels)}
    tree = find_images(folder, tuple(places))
    classes = {name for name, files in tree.classes.items() if files}
    unknown = classes - set(places)
    if unknown or not (classes or tree.loose):
        content = f"folders named {listed(unknown)}" if unknown else "no images in it"
        raise EdgecnnError(f"{folder} has {content}; wanted: a folder for each label, of {listed(manifest.labels)}")
    if classes and manifest.multi_label:
        raise EdgecnnError(
            f"{folder} has a folder for each label, but an image may show several: pass an .npz with labels (n, labels)"
        )
    return _read_images(tree, places, manifest.input)


def _read_images(folder: ImageFolder, places: Mapping[str, int], wanted: Input) -> Dataset:
    """Read the images of a folder for a model with this input; `places` are its labels' by their names.

    Raises:
        EdgecnnError: none can be read.
    """
    files = [path for paths in folder.classes.values() for path in paths] or folder.loose
    images, readable, unread = read_images(folder, files, wanted)
    classes = [places[name] for name, paths in folder.classes.items() for _ in paths]
    names = np.array([folder.name_of(path) for path in files])[readable]
    labels = np.array(classes, np.int64)[readable] if classes else None
    beside = {folder.name_of(path) for path in folder.loose} if classes else set()
    notes = (f"left out, since in no folder of a class: {listed(beside)}",) if beside else ()
    return Dataset(np.stack(images), labels, names, unread=unread, notes=notes)


def _doubts(data: Dataset, manifest: Manifest) -> list[str]:
    """Why images that can be read may still be unfit to calibrate or to judge by."""
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
    """A note on a model that gives all images one answer, if there are enough images to say so."""
    if len(answers) < _ENOUGH or (answers != answers[0]).any():
        return []
    return [f"{who} gives all {len(answers):,} images one answer, {labels[answers[0]]}"]
