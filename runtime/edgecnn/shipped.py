"""The files inside the wheel: the reference model, a small one, and a picture for them."""

import os
from pathlib import Path

from edgecnn import arguments

SHIPPED = Path(__file__).with_name("mnist_int8.tflite")  # the reference model
SMALL = SHIPPED.with_name("mnist_small_int8.tflite")  # a tenth of its work
MODELS = {"small": SMALL}  # what commands call them
PICTURE = "picture.png"  # beside a model: an image to try it on; beside `SHIPPED` a handwritten digit


def default_model() -> Path:
    """The model of a command that names none: the bundle's models under the bundle's launcher, else `SHIPPED`."""
    return Path(os.environ.get("EDGECNN_MODEL") or SHIPPED)


def model_path(text: str) -> Path:
    """A type for argparse: the path of a model, or of one in the wheel by its name."""
    return MODELS.get(text) or arguments.path(text)
