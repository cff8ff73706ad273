"""Run an image classifier on the edge: raw pixels in, label out.

>>> from edgecnn import Classifier
>>> classifier = Classifier("model_int8.tflite")
>>> classifier.predict(image).label          # image: uint8, 28x28, as the camera gave it
'7'

The model file carries its manifest: labels, how a pixel becomes an input value, what it was trained on.
"""

from edgecnn.classifier import Classifier, Prediction
from edgecnn.errors import EdgecnnError

__version__ = "0.1.0"
__all__ = ["Classifier", "EdgecnnError", "Prediction", "__version__"]
