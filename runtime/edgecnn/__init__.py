"""Run an image classifier on the edge: raw pixels in, label out.

>>> from edgecnn import Classifier
>>> classifier = Classifier("model_int8.tflite")
>>> classifier.predict(image).label          # image: uint8, 28x28, as the camera gave it
'7'

The model file carries its manifest: labels, how a pixel becomes an input value, what it was trained on.
"""

from typing import TYPE_CHECKING, Any

from edgecnn.errors import EdgecnnError
from edgecnn.shipped import PICTURE, SHIPPED, SMALL, default_model

if TYPE_CHECKING:
    from edgecnn.classifier import Classifier
    from edgecnn.prediction import Prediction

__version__ = "0.1.0"
__all__ = ["PICTURE", "SHIPPED", "SMALL", "Classifier", "EdgecnnError", "Prediction", "__version__", "default_model"]


def __getattr__(name: str) -> Any:
    """Import numpy when a classifier is first asked for: `edgecnn doctor` must also run where numpy does not."""
    if name in ("Classifier", "Prediction"):
        from edgecnn import classifier

        return getattr(classifier, name)
    raise AttributeError(f"module 'edgecnn' has no attribute {name!r}")
