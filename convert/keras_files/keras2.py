"""Files of Keras 2, as Keras 3 loads them: `.h5` and `.keras` with their configuration mended in a copy.

Keras 3 does not know some keys that Keras 2 wrote (`groups`, `time_major`, `rng_type`), takes no slash in a layer's
name ("Conv/BatchNorm"), no list for an axis, and no calls of TensorFlow's functions on an output (`TFOpLambda`). The
weights stay as they are: both count them in the same order. What holds code is refused before anything of it runs.
"""

import contextlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from convert.keras_files.tf_ops import OP_LAYER, op_layer, operator
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.modelfile import model_format

SAVED_MODEL = "or save it as a SavedModel where it was made, and convert that"
_CODE = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "FlaxLayer", "JaxLayer", "__lambda__"}
_ANY = object()
# Keys that Keras 3 has no more, and the value that says nothing: another one would be another function.
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
_CONFIG, _METADATA = "config.json", "metadata.json"  # members of a .keras file
_HARD_SIGMOID, _OLD_HARD_SIGMOID = "hard_sigmoid", "keras_2_hard_sigmoid"


def is_hdf5(data: bytes) -> bool:
    """Whether these are the bytes of a legacy `.h5` file."""
    return data.startswith(b"\x89HDF")


def file_format(path: Path) -> str:
    """`keras`, `tflite` or `onnx`, by a file's content; a legacy `.h5` is Keras's too.

    Raises:
        EdgecnnError: it cannot be read, or is none of these.
    """
    data = read_file(path)
    return "keras" if is_hdf5(data) else model_format(str(path), data)


@contextlib.contextmanager
def loadable(path: Path) -> Iterator[Path]:
    """A file that Keras 3 loads: a mended copy, named as Keras expects of its kind.

    Raises:
        EdgecnnError: it holds code, or something that Keras 3 has no more and that does something.
    """
    data = read_file(path)
    with tempfile.TemporaryDirectory() as folder:
        kind = "h5" if is_hdf5(data) else "keras"
        copy = Path(folder) / f"model.{kind}"
        (_mend_h5 if kind == "h5" else _mend_zip)(path, data, copy)
        yield copy


def _mend_h5(path: Path, data: bytes, copy: Path) -> None:
    import h5py

    copy.write_bytes(data)
    with h5py.File(copy, "r+") as file:
        config = file.attrs.get("model_config")
        if config is None:
            raise EdgecnnError(f"{path} holds weights without a model: save it with model.save()")
        old = not str(file.attrs.get("keras_version", "2")).startswith("3")
        file.attrs["model_config"] = json.dumps(mended(path, json.loads(config), old)).encode()


def _mend_zip(path: Path, data: bytes, copy: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(copy, "w") as after:
        old = str(json.loads(before.read(_METADATA)).get("keras_version", "3")).startswith("2")
        for member in before.infolist():
            with before.open(member) as source, after.open(member.filename, "w", force_zip64=True) as target:
                if member.filename == _CONFIG:
                    target.write(json.dumps(mended(path, json.load(source), old)).encode())
                else:
                    shutil.copyfileobj(source, target)


def mended(path: Path, config: Any, old: bool) -> Any:
    """A model's configuration as Keras 3 takes it; `old`: as Keras 2 wrote it.

    Raises:
        EdgecnnError: it holds code, or something that Keras 3 has no more and that does something.
    """
    names = _new_names(config)
    for owner in _objects(config):
        _check_code(path, owner)
        if old:
            _mend_object(path, owner)
        for key in ("name", "inbound_nodes", "input_layers", "output_layers"):
            for place in (owner, owner["config"]):
                if key in place:
                    place[key] = _renamed(place[key], names)
    return config


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """All objects of a configuration, the outer before the inner: layers, models, initializers."""
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
    """A name without a slash for each layer that has one, and that no other has."""
    names = {str(owner["config"].get("name", "")) for owner in _objects(config)}
    found: dict[str, str] = {}
    for name in sorted(name for name in names if "/" in name):
        new = name.replace("/", "_")
        while new in names:
            new += "_"
        names.add(new)
        found[name] = new
    return found


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def custom_objects() -> dict[str, Any]:
    """What a mended file names, and Keras 3 does not have."""
    import keras

    def hard_sigmoid(values: Any) -> Any:
        """As Keras 2 had it: Keras 3 has another function under this name."""
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
        owner.pop("build_config", None)  # of one shape, where Keras 3 wants three; it is built when it is called
    if "module" in owner and kind != "InputLayer":
        config.pop("batch_input_shape", None)
    _mend_values(owner, kind, config)
    _drop_what_is_gone(path, kind, name, config)
    if isinstance(layers := config.get("layers"), list):
        _mend_model(config, layers)


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
    """Values that mean something else to Keras 3."""
    if kind == "Attention" and config.get("score_mode") == "dot":
        del config["score_mode"]  # the default, which Keras 3 takes for the function of this name
    for key in [key for key in config if key.endswith("activation") and config[key] == _HARD_SIGMOID]:
        config[key] = _function(_OLD_HARD_SIGMOID) if "module" in owner else _OLD_HARD_SIGMOID
    if isinstance(axis := config.get("axis"), list) and len(axis) == 1:
        config["axis"] = axis[0]


def _drop_what_is_gone(path: Path, kind: str, name: str, config: dict[str, Any]) -> None:
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


def _mend_model(config: dict[str, Any], layers: list[dict[str, Any]]) -> None:
    """Mend the calls of a model's layers; inner models count theirs from 1 in Keras 2, where they are called first."""
    inner = {layer["config"].get("name"): layer["class_name"] for layer in layers if "layers" in layer["config"]}
    for layer in layers:
        if isinstance(nodes := layer.get("inbound_nodes"), list):
            layer["inbound_nodes"] = [
                _node(_counted(node, set(inner))) if isinstance(node, list) else node for node in nodes
            ]
    for key in ("input_layers", "output_layers"):
        if isinstance(ends := config.get(key), list):
            kept = {name for name, kind in inner.items() if kind == "Sequential"}  # for others Keras 3 counts so itself
            config[key] = _counted(ends[0] if len(ends) == 1 and isinstance(ends[0], list) else ends, kept)


def _counted(value: Any, inner: set[str]) -> Any:
    """References to tensors, those to what inner models give counted from 0."""
    if isinstance(value, dict):
        return {key: _counted(item, inner) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if value and isinstance(value[0], str) and value[0] in inner and isinstance(value[1], int):
        return [value[0], max(0, value[1] - 1), *_counted(value[2:], inner)]
    return [_counted(item, inner) for item in value]


def _node(node: Any) -> Any:
    """A call of a layer, of which Keras 3 reads the old form only where tensors stand nowhere but first."""
    calls = [node] if node and isinstance(node[0], str) else node  # of a function there is one list less
    if not isinstance(calls, list) or not all(isinstance(call, list) and len(call) in (3, 4) for call in calls):
        return node
    options = calls[-1][3] if len(calls[-1]) == 4 else {}
    if calls is node and not any(map(_is_tensor, options.values())):
        return node
    tensors = [_tensor(call) for call in calls]
    given = {key: _tensor(value) if _is_tensor(value) else value for key, value in options.items() if key != "name"}
    return {"args": tensors if len(tensors) == 1 else [tensors], "kwargs": given}


def _is_tensor(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 3 and [type(item) for item in value] == [str, int, int]


def _tensor(call: list[Any]) -> dict[str, Any]:
    history = {"shape": [None], "dtype": "float32", "keras_history": call[:3]}
    return {"class_name": "__keras_tensor__", "config": history}
