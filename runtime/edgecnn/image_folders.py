"""Folders of images, with a folder for each class, however deep: read in the same way for training and for a check.

Files that systems and tools leave among the images are ignored: names that begin with a dot (`._1.png`,
`.ipynb_checkpoints`), and `_SYSTEM`. Links are followed. A folder that holds `train/` and `test/` is not one data set
but two.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.images import SUFFIXES, read_image
from edgecnn.labels import composed, listed
from edgecnn.manifest import Input
from edgecnn.shrinking import Pixels

_SYSTEM = frozenset({"__MACOSX", "__pycache__", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_SPLITS = {  # the names that people give to folders of splits, in small letters
    "train": "train",
    "training": "train",
    **dict.fromkeys(("val", "valid", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}


@dataclass(frozen=True)
class ImageFolder:
    """The paths of a folder's images, by class."""

    root: Path
    classes: dict[str, list[Path]]  # by the folder's name, in order of names; one without images too
    loose: list[Path]  # in no class

    def name_of(self, path: Path) -> str:
        """The name of an image: its path within the folder, bytes that are no UTF-8 written out."""
        return os.fsencode(path.relative_to(self.root)).decode(errors="backslashreplace")


def find_images(root: Path, labels: Collection[str] = ()) -> ImageFolder:
    """Find the images of a folder: those below a folder in it are of the class with its name.

    Args:
        root: the folder.
        labels: the names that classes may have, if they are known.

    Raises:
        EdgecnnError: its folders are splits and no classes, one has a name that no label can have, two differ by case
            alone, or a link leads back to a folder above it.
        OSError: a folder cannot be read.
    """
    if splits := split_folders(root, labels):
        names = [path.name for paths in splits.values() for path in paths]
        raise EdgecnnError(
            f"{root} is split into {listed(names)}, which are no classes: name one of them, {root / max(names)},"
            " with a folder of images for each class within"
        )
    classes: dict[str, list[Path]] = {}
    for path in _folders_in(root):
        classes.setdefault(_class_name(path), []).extend(_images_below(path, _identities(root)))
    _check_case(root, [name for name, files in classes.items() if files], labels)
    loose = [path for path in sorted(root.iterdir()) if _is_image(path)]
    return ImageFolder(root, dict(sorted(classes.items())), loose)


def split_folders(root: Path, labels: Collection[str] = ()) -> dict[str, list[Path]]:
    """The folders in `root` that are splits and no classes: by the split, `train`, `validation` or `test`.

    They are splits if there are two or more of such names, or no others; and if no classes, of `labels`, are called so.

    Raises:
        EdgecnnError: a link leads back to a folder above it.
        OSError: a folder cannot be read.
    """
    folders = [path for path in _folders_in(root) if any(_images_below(path, _identities(root)))]
    splits = [path for path in folders if path.name.lower() in _SPLITS]
    if (len(splits) < 2 and splits != folders) or {path.name for path in splits} <= set(labels):
        return {}
    roles: dict[str, list[Path]] = {}
    for path in splits:
        roles.setdefault(_SPLITS[path.name.lower()], []).append(path)
    return roles


def read_images(
    folder: ImageFolder, files: list[Path], wanted: Input
) -> tuple[list[Pixels], list[bool], dict[str, str]]:
    """Read images for a model with this input, and continue if one cannot be read.

    Returns:
        The images that can be read; whether each file can be read; and why the others cannot, by name.

    Raises:
        EdgecnnError: none can be read: Pillow is not installed, or the images are not for this model.
    """
    images, readable, unread = [], [], {}
    for path in files:
        try:
            images.append(read_image(path, wanted))
        except EdgecnnError as error:
            unread[folder.name_of(path)] = str(error).removeprefix(f"{path} ")
        readable.append(folder.name_of(path) not in unread)
    if unread and not images:
        name, why = next(iter(unread.items()))
        raise EdgecnnError(f"{folder.root}: none of its {len(unread)} images can be read; {name}: {why}")
    return images, readable, unread


def left_out(unread: dict[str, str], images: int) -> list[str]:
    """A note on the images that could not be read, if any, besides `images` that could."""
    return [f"{len(unread)} of {images + len(unread)} images left out: {listed(set(unread))}"] if unread else []


def _folders_in(root: Path) -> list[Path]:
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not _is_left_behind(path.name)]


def _identities(folder: Path) -> frozenset[tuple[int, int]]:
    """What tells a folder from all others, whatever leads to it: its device and its number there."""
    status = folder.stat()
    return frozenset({(status.st_dev, status.st_ino)})


def _images_below(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """The images in a folder, then those in the folders within; `above` are the folders that it lies in.

    Raises:
        EdgecnnError: a link leads back to one of these.
    """
    own = _identities(folder)
    if own <= above:
        raise EdgecnnError(f"{folder} leads back to a folder that it lies in: remove this link")
    yield from (path for path in sorted(folder.iterdir()) if _is_image(path))
    for path in _folders_in(folder):
        yield from _images_below(path, above | own)


def _check_case(root: Path, names: list[str], labels: Collection[str]) -> None:
    """Refuse classes whose names a system that ignores case would confuse, unless they are known to be two.

    Raises:
        EdgecnnError: there are such.
    """
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(name.casefold(), []).append(name)
    for twins in alike.values():
        if len(twins) > 1 and not set(twins) <= set(labels):
            raise EdgecnnError(
                f"{root} has the folders {listed(twins)}, which differ by case alone: merge them, or rename one"
            )


def _is_left_behind(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM


def _is_image(path: Path) -> bool:
    """Whether a path is an image by its name, and no pipe or device; a broken link is an image that cannot be read."""
    is_file = path.is_file() or (path.is_symlink() and not path.exists())
    return path.suffix.lower() in SUFFIXES and not _is_left_behind(path.name) and is_file


def _class_name(folder: Path) -> str:
    return bounds.text(composed(folder.name), f"{folder.parent}: the name of a folder")
