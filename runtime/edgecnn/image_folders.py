"""Folders of images, with a folder for each class, however deep: read in the same way for training and for a check.

Files that systems and tools leave among the images are ignored: names that begin with a dot (`._1.png`,
`.ipynb_checkpoints`), and `_SYSTEM`. A folder that holds `train/` and `test/` is not one data set but two.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.images import SUFFIXES, read_image
from edgecnn.labels import composed, listed
from edgecnn.manifest import Input
from edgecnn.shrinking import Pixels

_SYSTEM = frozenset({"__MACOSX", "__pycache__", "@eaDir", "$RECYCLE.BIN", "System Volume Information", "lost+found"})
_SPLITS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "eval", "evaluation", "dev"})


@dataclass(frozen=True)
class ImageFolder:
    """The paths of a folder's images, by class."""

    root: Path
    classes: dict[str, list[Path]]  # by the folder's name, in order of names; one without images too
    loose: list[Path]  # in no class

    def name_of(self, path: Path) -> str:
        """The name of an image: its path within the folder, bytes that are no UTF-8 written out."""
        return os.fsencode(path.relative_to(self.root)).decode(errors="backslashreplace")


def find_images(root: Path, labels: Sequence[str] = ()) -> ImageFolder:
    """Find the images of a folder: those below a folder in it are of the class with its name.

    Args:
        root: the folder.
        labels: the names that classes may have, if they are known.

    Raises:
        EdgecnnError: its folders are splits and no classes, or one has a name that no label can have.
        OSError: a folder cannot be read.
    """
    loose: list[Path] = []
    folders: dict[str, list[Path]] = {}
    for path in sorted(root.iterdir()):
        if path.is_dir() and not _is_left_behind(path.name):
            folders.setdefault(_class_name(path), []).extend(_images_below(path))
        elif _is_image(path):
            loose.append(path)
    names = [name for name, files in folders.items() if files]
    splits = [name for name in names if name.lower() in _SPLITS]
    if splits and (len(splits) > 1 or splits == names) and not set(splits) <= set(labels):
        raise EdgecnnError(
            f"{root} is split into {listed(splits)}, which are no classes: name one of them, {root / splits[-1]},"
            " with a folder of images for each class within"
        )
    return ImageFolder(root, dict(sorted(folders.items())), loose)


def read_images(
    folder: ImageFolder,
    files: list[Path],
    wanted: Input,
    watch: Callable[[list[Path]], Iterable[Path]] = iter,
) -> tuple[list[Pixels], list[bool], dict[str, str]]:
    """Read images for a model with this input, and continue if one cannot be read.

    Returns:
        The images that can be read; whether each file can be read; and why the others cannot, by name.

    Raises:
        EdgecnnError: none can be read: Pillow is not installed, or the images are not for this model.
    """
    images, readable, unread = [], [], {}
    for path in watch(files):
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


def _images_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if not _is_left_behind(name))
        yield from (path for name in sorted(files) if _is_image(path := Path(place, name)))


def _raise(error: OSError) -> None:
    raise error


def _is_left_behind(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM


def _is_image(path: Path) -> bool:
    """Whether a path is an image by its name, and no pipe or device; a broken link is an image that cannot be read."""
    is_file = path.is_file() or (path.is_symlink() and not path.exists())
    return path.suffix.lower() in SUFFIXES and not _is_left_behind(path.name) and is_file


def _class_name(folder: Path) -> str:
    return bounds.text(composed(folder.name), f"{folder.parent}: the name of a folder")
