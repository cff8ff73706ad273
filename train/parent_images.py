"""The images that a trained model was fitted to: what trains it on, or makes smaller networks of it, reads the same."""

from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from train.datasets import DATA_SETS, Data, load


def data_set_name(path: Path, manifest: Manifest | None, named: str | None, labels: str | None = None) -> str:
    """The data set of `train.datasets.load` that a model was trained on.

    A model's manifest holds a bare name: it is a key of `DATA_SETS`, or a folder of this name that lies here.

    Args:
        path: of the model.
        manifest: its manifest; None for a model of another tool.
        named: by --dataset.
        labels: the classes of files in MNIST's format, if those are the images.

    Raises:
        EdgecnnError: nobody says which it is, or it is not here.
    """
    known = manifest.training.dataset if manifest and manifest.training else ""
    name = named or ("auto" if labels else known)
    is_bare = bool(name) and (named is not None or Path(name).name == name)
    if name in DATA_SETS or name == "auto" or (is_bare and Path(name).exists()):
        return name
    which = f" ({name})" if name else ""
    raise EdgecnnError(f"the images that {path} was trained on{which} are not here: name them with --dataset FOLDER")


def images_of(
    path: Path, manifest: Manifest, named: str | None, folder: Path | None = None, labels: str | None = None
) -> Data:
    """Load the images that a model was trained on, in its size.

    Args:
        path: of the model.
        manifest: its manifest, or one that options stand for.
        named: by --dataset.
        folder: of MNIST's four files, or, with `labels`, of others in their format.
        labels: the classes of such other files.

    Raises:
        EdgecnnError: they cannot be had, or they are others than those of the training.
    """
    height, width, channels = manifest.input.shape
    data = load(data_set_name(path, manifest, named, labels), folder, labels, (height, width), channels)
    if data.labels != manifest.labels or data.train_images.shape[1:] != manifest.input.shape:
        raise EdgecnnError(
            f"{data.name} has other labels or sizes than {path}: name the images that it was trained on with --dataset"
        )
    if manifest.training and data.sha256 != manifest.training.dataset_sha256:
        raise EdgecnnError(f"{path} was trained on other images than those of {data.name}: name them with --dataset")
    return data
