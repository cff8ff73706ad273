"""The files inside the wheel: the reference model and a picture for it."""

import os
from pathlib import Path

SHIPPED = Path(__file__).with_name("mnist_int8.tflite")  # the reference model
PICTURE = "picture.png"  # beside a model: an image to try it on; beside `SHIPPED` a handwritten digit


def default_model() -> Path:
    """The model of a command that names none: the bundle's models under the bundle's launcher, else `SHIPPED`."""
    return Path(os.environ.get("EDGECNN_MODEL") or SHIPPED)
