"""Run a Keras model over raw pixels."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Input
from edgecnn.pixels import normalize
from workstation.keras_files.loading import reason

if TYPE_CHECKING:
    import keras

_BATCH = 256


def predict(model: "keras.Model", images: npt.NDArray[np.uint8], entry: Input) -> npt.NDArray[np.float32]:
    """Run a model.

    Args:
        model: a classifier.
        images: raw pixels, uint8, (n, height, width, channels).
        entry: how a raw pixel becomes an input value.

    Returns:
        Its outputs, float32, (n, columns).

    Raises:
        EdgecnnError: Keras cannot run the model, or outputs are NaN or infinite.
    """
    try:
        outputs: npt.NDArray[np.float32] = model.predict(normalize(images, entry), batch_size=_BATCH, verbose=0)
    except Exception as error:  # layers raise whatever they like
        raise EdgecnnError(f"Keras cannot run the model: {reason(error)}") from None
    if not np.isfinite(outputs).all():
        raise EdgecnnError(
            "the float model gives NaN or infinity: its training failed, or pixels reach it in another range"
        )
    return outputs
