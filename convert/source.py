"""Load a Keras classifier from whatever it was saved as: `.keras`, legacy `.h5`, a SavedModel folder."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn.command import quiet
from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays, read_file, sha256

if TYPE_CHECKING:
    import keras

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported: its greetings are no news

_UNSAFE_OPS = {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile"}


def is_saved_model(path: Path) -> bool:
    """Whether `path` is a SavedModel folder, which Keras 3 does not load by itself."""
    return (path / "saved_model.pb").is_file()


def is_hdf5(data: bytes) -> bool:
    """Whether these are the bytes of a legacy `.h5` file."""
    return data.startswith(b"\x89HDF")


def load_keras(path: Path) -> "keras.Model":
    """Load a classifier: one image in (batch, height, width, channels), one row of classes out.

    Raises:
        EdgecnnError: the file cannot be loaded safely, or it is no such classifier.
    """
    with quiet():  # TensorFlow greets; it takes seconds to import, so only when it is needed
        import keras

        try:
            model = _from_saved_model(path) if is_saved_model(path) else _from_file(path)
        except EdgecnnError:
            raise
        except Exception as error:  # Keras raises whatever it likes
            raise EdgecnnError(_why(path, keras.__version__, error)) from None
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

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):  # type: ignore[misc]
        """Keras 2 wrote a key `groups` that Keras 3 does not know."""

        def __init__(self, *args: Any, groups: int = 1, **options: Any) -> None:
            super().__init__(*args, **options)

    legacy = {"DepthwiseConv2D": DepthwiseConv2D} if is_hdf5(read_file(path)) else None
    return keras.models.load_model(path, compile=False, custom_objects=legacy)


def _from_saved_model(path: Path) -> "keras.Model":
    import keras
    import tensorflow as tf

    if unsafe := _operators(path) & _UNSAFE_OPS:  # before it is loaded: loading runs what initializes it
        raise EdgecnnError(f"{path} holds {', '.join(sorted(unsafe))}, which may do anything: it is not loaded")
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


def _operators(path: Path) -> set[str]:
    """Names of all operators in a SavedModel, those of its functions too."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(read_file(path / "saved_model.pb"))
    graphs = [each.graph_def for each in saved.meta_graphs]
    functions = [function for graph in graphs for function in graph.library.function]
    return {node.op for graph in graphs for node in graph.node} | {
        node.op for function in functions for node in function.node_def
    }


def _why(path: Path, version: str, error: Exception) -> str:
    words = " ".join(str(error).split())
    if "Lambda" in words:
        return f"{path} holds a Lambda layer, which is code and may do anything: replace it by a layer of its own"
    return f"{path} cannot be loaded by Keras {version}: {words[:300]}"


def _check_classifier(path: Path, model: "keras.Model") -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        ends = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise EdgecnnError(f"{path} has {ends}; a classifier of images has one of each")
    taken, given = tuple(model.inputs[0].shape), tuple(model.outputs[0].shape)
    if len(taken) != 4 or None in taken[1:]:
        raise EdgecnnError(f"{path} takes {taken}; a classifier takes images of a fixed (height, width, channels)")
    if len(given) != 2 or given[1] is None or given[1] < 2:
        raise EdgecnnError(f"{path} gives {given}; a classifier gives (batch, classes), 2 classes or more")
    if any(np.isnan(weights).any() for weights in model.get_weights()):
        raise EdgecnnError(f"{path} has NaN among its weights: its training failed")
