"""Run an image classifier on the edge: raw pixels in, label out.

>>> from edgecnn import Classifier
>>> classifier = Classifier("model_int8.tflite")
>>> classifier.predict(image).label          # image: uint8, 28x28, as the camera gave it
'7'

The model file carries its manifest: labels, how a pixel becomes an input value, what it was trained on.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn.errors import EdgecnnError

if TYPE_CHECKING:
    from edgecnn.classifier import Classifier, Prediction

__version__ = "0.1.0"
SHIPPED = Path(__file__).with_name("mnist_int8.tflite")  # the reference model, inside the wheel
PICTURE = (
    "picture.png"  # beside a model: one to try it on; beside the reference model a digit drawn for the digits of UCI
)
__all__ = ["PICTURE", "SHIPPED", "Classifier", "EdgecnnError", "Prediction", "__version__", "default_model"]


def default_model() -> Path:
    """What commands take where no model is named: the bundle's models where its launcher is used, else the wheel's."""
    return Path(os.environ.get("EDGECNN_MODEL") or SHIPPED)


def __getattr__(name: str) -> Any:
    """Import numpy when a classifier is first asked for: `edgecnn doctor` must also run where numpy does not."""
    if name in ("Classifier", "Prediction"):
        from edgecnn import classifier

        return getattr(classifier, name)
    raise AttributeError(f"module 'edgecnn' has no attribute {name!r}")
