"""Load a Keras classifier from whatever it was saved as: `.keras`, legacy `.h5`, a SavedModel folder."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.command import quiet
from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays, read_file, sha256
from workstation.keras_files.keras2 import SAVED_MODEL, custom_objects
from workstation.keras_files.mended_copy import mended_copy
from workstation.keras_files.saved_model import check_operators, is_saved_model

if TYPE_CHECKING:
    import keras

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported: it prints a page of notices

_NOISE = re.compile(  # in Keras's errors: colours, the place they come from, the arguments of a call
    r"\x1b\[\d*m|.*Exception encountered:|Exception encountered when calling [\w.()]+|Arguments received by .*"
)
_LONGEST = 300  # letters of a reason


def load_keras(path: Path) -> "keras.Model":
    """Load a classifier of images: input (batch, height, width, channels), output (batch, classes).

    Raises:
        EdgecnnError: the file cannot be loaded safely, or is no such classifier.
    """
    with quiet():  # TensorFlow prints notices, and takes seconds to import
        import keras

        try:
            model = _from_saved_model(path) if is_saved_model(path) else _from_file(path)
        except EdgecnnError:
            raise
        except Exception as error:  # Keras raises whatever it likes
            raise EdgecnnError(_why(path, keras.__version__, error)) from None
    model = _with_one_output(path, model)
    _check_classifier(path, model)
    return model


def weights_hash(path: Path, model: "keras.Model") -> str:
    """SHA-256 of the model's weights; of the folder's files for a SavedModel."""
    if not is_saved_model(path):
        return hash_arrays(model.get_weights())
    files = [path / "saved_model.pb", *sorted((path / "variables").glob("*"))]
    return sha256("".join(sha256(read_file(file)) for file in files).encode())


def _from_file(path: Path) -> "keras.Model":
    import keras

    with mended_copy(path) as copy:
        return keras.models.load_model(copy, compile=False, custom_objects=custom_objects())


def _from_saved_model(path: Path) -> "keras.Model":
    import keras
    import tensorflow as tf

    check_operators(path)  # before it is loaded: loading runs its initializers
    signature = tf.saved_model.load(str(path)).signatures.get("serving_default")
    if signature is None:
        raise EdgecnnError(f"{path} has no signature serving_default: export it with model.export()")
    inputs = list(signature.structured_input_signature[1].values())
    if len(inputs) != 1:
        raise EdgecnnError(f"{path} has {len(inputs)} inputs; a classifier of images has one")
    layer = keras.layers.TFSMLayer(str(path), call_endpoint="serving_default")
    image = keras.Input(tuple(inputs[0].shape[1:]))
    outputs = layer(image)
    return keras.Model(image, list(outputs.values()) if len(outputs) > 1 else next(iter(outputs.values())))


def _why(path: Path, version: str, error: Exception) -> str:
    return f"{path} cannot be loaded by Keras {version}: {reason(error)}; {SAVED_MODEL}"


def reason(error: Exception) -> str:
    """The cause of an error of Keras, in one line."""
    words = _NOISE.sub("", " ".join(str(error).split()))
    return words.strip(" .")[:_LONGEST] or type(error).__name__


def _with_one_output(path: Path, model: Any) -> "keras.Model":
    """The model with one tensor as its output, also where it was a dict of one.

    Raises:
        EdgecnnError: it is no model, its shapes are not known, or it has several inputs or outputs.
    """
    import keras

    if not isinstance(model, keras.Model):
        raise EdgecnnError(f"{path} holds a {type(model).__name__}, no model: save the model")
    if not model.built or not getattr(model, "inputs", None):
        raise EdgecnnError(
            f"{path} was never built: its input's shape is unknown; call it once, or begin it with keras.Input"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        ends = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise EdgecnnError(f"{path} has {ends}, not one of each: save keras.Model(an input, an output) of it")
    plain = model.outputs[0] is getattr(model, "output", None)
    return model if plain else keras.Model(model.inputs[0], model.outputs[0], name=model.name)


def _check_classifier(path: Path, model: "keras.Model") -> None:
    entry, output = tuple(model.inputs[0].shape), tuple(model.outputs[0].shape)
    if len(entry) != 4 or None in entry[1:]:
        raise EdgecnnError(
            f"{path} takes {entry}; a classifier takes images of a fixed size: begin it with"
            " keras.Input((height, width, channels))"
        )
    if len(output) != 2 or not output[1]:
        raise EdgecnnError(f"{path} gives {output}; a classifier gives (batch, classes), or (batch, 1) of two classes")
    if not all(np.isfinite(weights).all() for weights in model.get_weights()):
        raise EdgecnnError(f"{path} has NaN or infinity among its weights: its training failed")
