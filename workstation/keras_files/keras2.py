"""A configuration that Keras 2 wrote, in the form that Keras 3 loads.

Keras 3 does not know some keys of Keras 2 (`groups`, `time_major`, `rng_type`), takes no slash in a layer's name
("Conv/BatchNorm"), no list for an axis, and no calls of TensorFlow's functions on an output (`TFOpLambda`). The weights
stay as they are: both versions store them in the same order. A model that holds code is refused before any of it runs.
"""

from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError
from workstation.keras_files.keras2_calls import mend_calls
from workstation.keras_files.tf_ops import OP_LAYER, op_layer, operator

SAVED_MODEL = "or save it as a SavedModel where it was made, and convert that"
_CODE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "__lambda__"}
_ANY = object()
# Keys that Keras 3 does not have, with the value that has no effect: any other makes another function of the layer.
_GONE = {
    "groups": 1,
    "time_major": False,
    "softmax_robust_masking": False,
    "noise_shape": None,
    "rng_type": _ANY,
    "query_shape": _ANY,
    "key_shape": _ANY,
    "value_shape": _ANY,
    "trainable": _ANY,
    "kernel_initializer": _ANY,
    "kernel_regularizer": _ANY,
    "kernel_constraint": _ANY,
}
_HARD_SIGMOID, _OLD_HARD_SIGMOID = "hard_sigmoid", "keras_2_hard_sigmoid"


def mended(path: Path, config: Any, is_keras_2: bool) -> Any:
    """A model's configuration in the form that Keras 3 loads.

    Args:
        path: of the file, for messages.
        config: of any version of Keras; it is changed in place.
        is_keras_2: whether Keras 2 wrote it.

    Raises:
        EdgecnnError: it holds code, or uses something that Keras 3 does not have.
    """
    names = _new_names(config)
    for owner in _objects(config):
        _check_code(path, owner)
        if is_keras_2:
            _mend_object(path, owner)
        for key in ("name", "inbound_nodes", "input_layers", "output_layers"):
            for place in (owner, owner["config"]):
                if key in place:
                    place[key] = _renamed(place[key], names)
    return config


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """All objects of a configuration, outer before inner: layers, models, initializers."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str) and isinstance(value.get("config"), dict):
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _new_names(config: Any) -> dict[str, str]:
    """For each layer whose name has a slash: a name without one, which no other layer has."""
    names = {str(owner["config"].get("name", "")) for owner in _objects(config)}
    new_names: dict[str, str] = {}
    for name in sorted(name for name in names if "/" in name):
        new = name.replace("/", "_")
        while new in names:
            new += "_"
        names.add(new)
        new_names[name] = new
    return new_names


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def custom_objects() -> dict[str, Any]:
    """The layers and functions that a mended file names and Keras 3 does not have."""
    import keras

    def hard_sigmoid(values: Any) -> Any:
        """The function of Keras 2; Keras 3 has another one under this name."""
        return keras.ops.clip(0.2 * values + 0.5, 0.0, 1.0)

    return {OP_LAYER: op_layer(), _OLD_HARD_SIGMOID: hard_sigmoid}


def _check_code(path: Path, owner: dict[str, Any]) -> None:
    kind = owner["class_name"]
    name = owner["config"].get("name", kind)
    if kind in _CODE:
        raise EdgecnnError(
            f"{path} holds the {kind} {name!r}, code that may do anything: put a layer or keras.ops in its place"
        )


def _mend_object(path: Path, owner: dict[str, Any]) -> None:
    kind, config = owner["class_name"], owner["config"]
    name = config.get("name", kind)
    if kind == "Functional" and "module" in owner:
        owner["module"], owner["registered_name"] = "keras.src.models.functional", "Functional"
    if kind == OP_LAYER:
        _mend_call(path, name, owner)
    if kind == "MultiHeadAttention":
        owner.pop("build_config", None)  # it has one shape and Keras 3 wants three; the first call builds the layer
    if "module" in owner and kind != "InputLayer":
        config.pop("batch_input_shape", None)
    _mend_values(owner, kind, config)
    _drop_gone_keys(path, kind, name, config)
    if isinstance(layers := config.get("layers"), list):
        mend_calls(config, layers)


def _mend_call(path: Path, name: str, owner: dict[str, Any]) -> None:
    function = owner["config"].get("function")
    if operator(str(function)) is None:
        raise EdgecnnError(
            f"{path} calls TensorFlow's {function} at {name!r}, which Keras 3 does not load:"
            f" put keras.ops or a layer in its place, {SAVED_MODEL}"
        )
    owner.pop("module", None)
    owner.pop("registered_name", None)


def _mend_values(owner: dict[str, Any], kind: str, config: dict[str, Any]) -> None:
    """Replace values that mean something else to Keras 3."""
    if kind == "Attention" and config.get("score_mode") == "dot":
        del config["score_mode"]  # the default; Keras 3 would look up a function of this name
    for key in [key for key in config if key.endswith("activation") and config[key] == _HARD_SIGMOID]:
        config[key] = _function(_OLD_HARD_SIGMOID) if "module" in owner else _OLD_HARD_SIGMOID
    if isinstance(axis := config.get("axis"), list) and len(axis) == 1:
        config["axis"] = axis[0]


def _drop_gone_keys(path: Path, kind: str, name: str, config: dict[str, Any]) -> None:
    import keras

    layer = getattr(keras.layers, kind, None)
    for key in _GONE.keys() & config.keys() if layer else ():
        if _takes(layer, key):
            continue
        neutral, value = _GONE[key], config.pop(key)
        if neutral is not _ANY and value != neutral:
            raise EdgecnnError(
                f"{path}: the {kind} {name!r} has {key}={value}, which Keras 3 has no more: {SAVED_MODEL}"
            )


def _takes(layer: Any, key: str) -> bool:
    known = signature(layer.__init__).parameters
    options = any(parameter.kind == Parameter.VAR_KEYWORD for parameter in known.values())
    return key in known or (key == "trainable" and options)


def _function(name: str) -> dict[str, Any]:
    return {"class_name": "function", "module": "builtins", "config": name, "registered_name": name}
