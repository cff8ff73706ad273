"""How people lay out their pictures: class folders, or such folders in `train/`, `val/` and `test/`.

Any of `val/` and `test/` may be missing, and have other names (`valid`, `validation`, `testing`): what is missing is
cut off `train/`.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.image_folders import ImageFolder, find_images, split_folders
from edgecnn.labels import listed

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(len(SPLITS))


@dataclass(frozen=True)
class Listing:
    """The pictures of a folder, before they are read."""

    root: Path
    classes: tuple[str, ...]
    files: list[Path]
    labels: npt.NDArray[np.int64]  # (n,)
    splits: npt.NDArray[np.int64]  # (n,): places in `SPLITS`
    notes: tuple[str, ...] = ()  # what to know of them, in words

    def name_of(self, path: Path) -> str:
        """The name of a picture, see `ImageFolder.name_of`."""
        return ImageFolder(self.root, {}, []).name_of(path)


def list_pictures(root: Path) -> Listing:
    """List the pictures of a folder.

    Raises:
        EdgecnnError: it has no two classes, a class has no pictures, or its splits have different classes.
        OSError: a folder cannot be read.
    """
    if not root.is_dir():
        raise EdgecnnError(f"--dataset {root}: neither a data set's name nor a folder, or a ZIP file, of class folders")
    parts = _parts(root)
    classes = tuple(parts[TRAIN].classes)
    _check_classes(parts[TRAIN].root, classes, [name for name, files in parts[TRAIN].classes.items() if not files])
    notes = [note for split in parts if split != TRAIN for note in _strangers(root, split, parts[split], classes)]
    notes += [f"left out, since in no folder of a class: {_loose(root, part)}" for part in parts.values() if part.loose]
    rows = [
        (path, classes.index(name), split)
        for split, part in sorted(parts.items())
        for name, files in part.classes.items()
        for path in files
    ]
    labels, splits = (np.array([row[column] for row in rows], np.int64) for column in (1, 2))
    return Listing(root, classes, [path for path, _, _ in rows], labels, splits, tuple(notes))


def _parts(root: Path) -> dict[int, ImageFolder]:
    """The class folders of each split; all are for training if a folder has no splits.

    Raises:
        EdgecnnError: two folders are the same split, or none is for training.
    """
    folders = split_folders(root)
    if not folders:
        return {TRAIN: find_images(root)}
    for split, paths in folders.items():
        if len(paths) > 1:
            raise EdgecnnError(f"{root} has {listed([path.name for path in paths])}, both for {split}: remove one")
    if "train" not in folders:
        raise EdgecnnError(f"{root} has no train/ beside {listed(set(folders))}: call the folder for training so")
    return {SPLITS.index(split): find_images(path) for split, (path,) in folders.items()}


def _check_classes(root: Path, classes: tuple[str, ...], empty: list[str]) -> None:
    """Refuse a folder that has no two classes, or a class without pictures.

    Raises:
        EdgecnnError: with the remedy.
    """
    if empty and len(classes) > 1:
        raise EdgecnnError(f"{root} has no images in {listed(empty)}: add some, or remove these folders")
    if len(classes) < 2:
        within = f", {listed(classes)} (name it if it holds the classes)" if classes else ""
        count = f"{len(classes)} class folder{'' if len(classes) == 1 else 's'}"
        raise EdgecnnError(f"{root} has {count}{within}; wanted: a folder of images for each class, two or more")


def _strangers(root: Path, split: int, part: ImageFolder, classes: tuple[str, ...]) -> list[str]:
    """Notes on classes that a split lacks.

    Raises:
        EdgecnnError: it has classes that the training lacks.
    """
    own = {name for name, files in part.classes.items() if files}
    if strangers := own - set(classes):
        raise EdgecnnError(
            f"{part.root} has the folder{'s' if len(strangers) > 1 else ''} {listed(strangers)}, which"
            f" {root / 'train'} has not: rename as there ({listed(classes)}), or remove"
        )
    if not own:
        return [f"{part.root.name}/ has no class folders: it is left out, and images for {SPLITS[split]} are cut off"]
    lacking = set(classes) - own
    return [f"{part.root.name}/ has no images of {listed(lacking)}"] if lacking else []


def _loose(root: Path, part: ImageFolder) -> str:
    return listed({ImageFolder(root, {}, []).name_of(path) for path in part.loose})
