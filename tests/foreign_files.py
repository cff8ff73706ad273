"""Write models as other tools save them: python tests/foreign_files.py FOLDER.

Files of Keras 2 differ from those of Keras 3 by their configuration alone, so the configuration of a Keras 3 file is
set back; the outputs that the tests expect are Keras's before that. This is a process of its own, since the tests'
process does not load TensorFlow.
"""

import json
import sys
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

SIDE = 12
IMAGES = np.random.default_rng(0).integers(0, 256, (24, SIDE, SIDE, 1), np.uint8)


def old_object(owner):
    """One object of a configuration, in place, as Keras 2 wrote it."""
    config = owner["config"]
    if owner["class_name"] in ("SeparableConv2D", "Conv2DTranspose", "DepthwiseConv2D"):
        config["groups"] = 1
    if owner["class_name"] == "SeparableConv2D":
        config |= {"kernel_initializer": None, "kernel_regularizer": None, "kernel_constraint": None}
    if owner["class_name"] == "LSTM":
        config["time_major"] = False
    if owner["class_name"].startswith("Random"):
        config["rng_type"] = "stateful"
    if owner["class_name"] == "BatchNormalization":
        config["axis"] = [3]
    if owner["class_name"] == "Functional":
        owner["module"] = "keras.src.engine.functional"


def old_node(node, inner):
    """A call as Keras 2 wrote it: lists, and the calls of inner models numbered from 1."""
    first = [old_tensor(tensor, inner) for tensor in tensors(node["args"])]
    options = {key: old_tensor(value, inner) if tensors(value) else value for key, value in node["kwargs"].items()}
    return [[*tensor, options] for tensor in first]


def tensors(value):
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [value]
    return [tensor for inner in value for tensor in tensors(inner)] if isinstance(value, list) else []


def old_tensor(value, inner):
    name, node, place = (value["config"] if isinstance(value, dict) else value)["keras_history"]
    return [name, node + (name in inner), place]


def old_model(owner):
    """A configuration, in place and with all that is in it, as Keras 2 wrote it."""
    if isinstance(owner, list):
        for inner in owner:
            old_model(inner)
    if not isinstance(owner, dict):
        return
    config = owner.get("config")
    layers = config.get("layers", []) if isinstance(config, dict) else []
    inner = {layer["config"]["name"] for layer in layers if "layers" in layer["config"]}
    for layer in layers:
        if "inbound_nodes" in layer:
            layer["inbound_nodes"] = [old_node(node, inner) for node in layer["inbound_nodes"]]
    for key in ("input_layers", "output_layers"):
        if layers and isinstance(config.get(key), list) and isinstance(config[key][0], str):
            config[key] = [config[key]]
    if isinstance(owner.get("class_name"), str) and isinstance(config, dict):
        old_object(owner)
    for value in list(owner.values()):
        old_model(value)


def renamed(value, names):
    if isinstance(value, dict):
        return {key: renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def old_config(config, names):
    old_model(config)
    return renamed(config, names)


def save_old(model, folder, name, names=()):
    """Save a model as Keras 2 did, as `.keras` and as `.h5`; `names` replaces names of layers."""
    path = Path(folder) / f"{name}.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    config = old_config(json.loads(members["config.json"]), dict(names))
    members |= {"config.json": json.dumps(config).encode(), "metadata.json": b'{"keras_version": "2.15.0"}'}
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    model.save(path.with_suffix(".h5"))
    with h5py.File(path.with_suffix(".h5"), "r+") as file:
        file.attrs["model_config"] = json.dumps(without_modules(config)).encode()
        file.attrs["keras_version"] = "2.15.0"


def without_modules(value):
    """Layers of an `.h5` name no module."""
    if isinstance(value, list):
        return [without_modules(item) for item in value]
    if not isinstance(value, dict):
        return value
    is_layer = "class_name" in value and isinstance(value["config"], dict) and "name" in value["config"]
    dropped = {"module", "registered_name", "build_config", "compile_config"} if is_layer else set()
    return {key: without_modules(item) for key, item in value.items() if key not in dropped}


def expect(model, folder, name):
    np.save(Path(folder) / f"{name}.npy", model.predict(IMAGES / np.float32(255), verbose=0))


def head(x, classes=3, activation="softmax"):
    return kl.Dense(classes, activation=activation)(kl.Flatten()(x))


def keras_2(folder):
    """Every kind of difference, in three models."""
    image = keras.Input((SIDE, SIDE, 1))
    x = kl.RandomFlip()(image)
    x = kl.BatchNormalization(name="Conv_BatchNorm")(kl.SeparableConv2D(4, 3, name="Conv")(x))
    x = kl.DepthwiseConv2D(3)(kl.Conv2DTranspose(4, 3)(x))
    layers = keras.Model(image, head(x))
    base_in = keras.Input((SIDE, SIDE, 1))
    base = keras.Model(base_in, kl.Conv2D(4, 3, activation="relu")(base_in), name="base")
    image = keras.Input((SIDE, SIDE, 1))
    transfer = keras.Model(image, head(kl.GlobalAveragePooling2D(keepdims=True)(base(image))))
    image = keras.Input((SIDE, SIDE, 1))
    lstm = keras.Model(image, head(kl.LSTM(4, unroll=True)(kl.Reshape((SIDE, SIDE))(image))))
    for name, model in (("layers", layers), ("transfer", transfer), ("lstm", lstm)):
        expect(model, folder, name)
        save_old(model, folder, name, {"Conv_BatchNorm": "Conv/BatchNorm"})
    old_functions(folder)


def old_functions(folder):
    """`tf.nn.relu(x) * 2` and a hard sigmoid as Keras 2 saved them: the configuration is written by hand."""
    kernel = np.random.default_rng(1).normal(0, 0.3, (SIDE * SIDE, 3)).astype(np.float32)
    image = keras.Input((SIDE, SIDE, 1))
    x = kl.Flatten(name="flatten")(image)
    x = kl.Dense(3, use_bias=False, name="dense", kernel_initializer="zeros")(x)
    model = keras.Model(image, kl.Activation("linear", name="last")(x))
    model.get_layer("dense").set_weights([kernel])
    model.save(Path(folder) / "functions.h5")
    values = (IMAGES.reshape(len(IMAGES), -1) / np.float32(255)) @ kernel
    np.save(Path(folder) / "functions.npy", np.clip(0.2 * np.maximum(values, 0) * 2 + 0.5, 0, 1))
    plain = (Path(folder) / "functions.h5").read_bytes()
    for name, function in (("functions", "math.multiply"), ("strange_function", "io.read_file")):
        (Path(folder) / f"{name}.h5").write_bytes(plain)
        with h5py.File(Path(folder) / f"{name}.h5", "r+") as file:
            config = json.loads(file.attrs["model_config"])
            old_model(config)
            *before, last = config["config"]["layers"]
            calls = [
                ("tf.nn.relu", "nn.relu", "dense", {"name": None}),
                ("tf.call", function, "tf.nn.relu", {"y": 2.0}),
            ]
            operators = [
                {
                    "class_name": "TFOpLambda",
                    "config": {"name": layer, "function": called, "dtype": "float32", "trainable": True},
                    "name": layer,
                    "inbound_nodes": [[source, 0, 0, options]],
                }
                for layer, called, source, options in calls
            ]
            last["inbound_nodes"] = [[["tf.call", 0, 0, {}]]]
            last["config"]["activation"] = "hard_sigmoid"
            config["config"]["layers"] = [*before, *operators, last]
            file.attrs["model_config"] = json.dumps(without_modules(config)).encode()
            file.attrs["keras_version"] = "2.15.0"


def balance(model):
    """Scale the last layer's outputs far from 0, and shift them so that half are above it."""
    last = model.layers[-1]
    kernel, bias = last.get_weights()
    values = keras.Model(model.inputs, last.input).predict(IMAGES / np.float32(255), verbose=0) @ kernel * 5
    last.set_weights([kernel * 5, bias - np.median(values, axis=0)])


def outputs(folder):
    """One sigmoid, its logit, several sigmoids, a dict, layers that were never built, layers inside layers."""
    image = keras.Input((SIDE, SIDE, 1))
    x = kl.Conv2D(4, 3, activation="relu")(image)
    for name, classes, activation in (("one", 1, "sigmoid"), ("logit", 1, None), ("several", 3, "sigmoid")):
        model = keras.Model(image, head(x, classes, activation))
        balance(model)
        expect(model, folder, name)
        model.save(Path(folder) / f"{name}.keras")
    model = keras.Model(image, {"digit": head(x)})
    model.save(Path(folder) / "dict.keras")
    keras.Sequential([kl.Conv2D(4, 3), kl.Flatten(), kl.Dense(3)]).save(Path(folder) / "unbuilt.keras")
    keras.Model(image, [head(x), head(x)]).save(Path(folder) / "two.keras")
    keras.Sequential([keras.Input((None, None, 1)), kl.GlobalAveragePooling2D(), kl.Dense(3)]).save(
        Path(folder) / "open.keras"
    )
    for name, weight in (("infinite", np.inf), ("huge", 1e38)):
        model = keras.Model(image, head(x))
        model.layers[-1].set_weights([np.full_like(weights, weight) for weights in model.layers[-1].get_weights()])
        model.save(Path(folder) / f"{name}.keras")
    x = kl.Reshape((SIDE, SIDE))(image)
    keras.Model(image, head(kl.MultiHeadAttention(2, 4)(x, x))).save(Path(folder) / "attention.keras")


class Module(tf.Module):
    """A SavedModel that classifies, and calls a function where the image is strange."""

    def __init__(self, beside):
        super().__init__()
        self.weights, self.beside = tf.Variable(tf.random.normal((SIDE * SIDE, 3))), beside

    @tf.function(input_signature=[tf.TensorSpec((None, SIDE, SIDE, 1), tf.float32)])
    def serve(self, image):
        outputs = tf.nn.softmax(tf.reshape(image, (-1, SIDE * SIDE)) @ self.weights)
        return {"out": outputs * tf.cond(outputs[0, 0] > 0.5, tf.function(self.beside), lambda: tf.constant(1.0))}


def saved_models(folder):
    target = str(Path(folder) / "written")

    def write():
        tf.raw_ops.PrintV2(input=tf.constant("this ran"), output_stream=f"file://{target}")
        return tf.constant(1.0)

    def overwrite():
        tf.raw_ops.SaveV2(prefix=target, tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)])
        return tf.constant(1.0)

    def nothing():
        return tf.constant(1.0)

    for beside in (write, overwrite, nothing):
        module = Module(beside)
        tf.saved_model.save(module, str(Path(folder) / f"saved_{beside.__name__}"), signatures=module.serve)


def load(folder):
    """Load all models of a folder; print as JSON the largest error of each, or why it is refused."""
    from edgecnn.errors import EdgecnnError
    from workstation.keras_files.loading import load_keras

    results = {}
    for path in sorted(path for path in Path(folder).iterdir() if path.suffix in (".h5", ".keras") or path.is_dir()):
        try:
            model = load_keras(path)
            expected = path.with_suffix(".npy")
            outputs = model.predict(IMAGES / np.float32(255), verbose=0)
            results[path.name] = float(np.abs(outputs - np.load(expected)).max()) if expected.exists() else 0.0
        except EdgecnnError as error:
            results[path.name] = str(error)
    print(json.dumps(results))


if __name__ == "__main__":
    if sys.argv[2:] == ["load"]:
        load(sys.argv[1])
        sys.exit()
    keras.utils.set_random_seed(0)
    np.savez(Path(sys.argv[1]) / "images.npz", images=IMAGES)
    for make in (keras_2, outputs, saved_models):
        make(sys.argv[1])
