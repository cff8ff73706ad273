"""The float model that a conversion starts from, and the images that judge what comes out."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgecnn.command import quiet
from edgecnn.dataset import Dataset, read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays
from edgecnn.manifest import Manifest
from edgecnn.modelfile import read_model

if TYPE_CHECKING:
    import keras

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported: its greetings are no news


@dataclass(frozen=True)
class Parent:
    """A trained Keras model, what its file says of it, and the images that belong to it."""

    path: Path
    model: "keras.Model"
    manifest: Manifest
    calibration: Dataset
    validation: Dataset

    @property
    def answers(self) -> npt.NDArray[np.intp]:
        """The class that Keras gave each validation image, (n,)."""
        assert self.validation.probabilities is not None
        indices: npt.NDArray[np.intp] = self.validation.probabilities.argmax(axis=1)
        return indices


def load_parent(path: Path) -> Parent:
    """Load a `.keras` file that training wrote, and the data beside it.

    Raises:
        EdgecnnError: a file is missing or damaged, has no manifest, or belongs to another training.
    """
    file = read_model(path)
    if file.manifest.format != "keras":
        raise EdgecnnError(f"{path} is a {file.manifest.format} model already: name the .keras file it was made from")
    data = [read_dataset(path.with_name(f"{split}.npz"), file.manifest) for split in ("calibration", "validation")]
    if any(each.source is None or each.source.weights_sha256 != file.manifest.weights_sha256 for each in data):
        raise EdgecnnError(f"{path} and the .npz files beside it come from different trainings: train again")
    with quiet():  # TensorFlow greets; it takes seconds to import, so only after the files were found good
        import keras
    try:
        model = keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever it likes
        raise EdgecnnError(f"{path} cannot be loaded by Keras {keras.__version__}: {error}") from None
    if hash_arrays(model.get_weights()) != file.manifest.weights_sha256:
        raise EdgecnnError(f"{path} holds other weights than its manifest says: train again")
    return Parent(path, model, file.manifest, *data)


def with_fixed_batch(model: "keras.Model") -> "keras.Model":
    """The same model with the batch fixed at 1: tflite-runtime's XNNPACK, for one, takes no open batch."""
    import keras

    inputs = keras.Input(batch_shape=(1, *model.input_shape[1:]))
    return keras.Model(inputs, model(inputs))
