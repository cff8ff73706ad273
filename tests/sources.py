"""Make models as other tools save them, by hand: python tests/sources.py FOLDER.

What Keras 2 wrote differs from Keras 3's files by its configuration alone, so that Keras 3's are set back to it; the
values expected are what Keras gives before. A process of its own, since the tests' process stays free of TensorFlow.
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
    """A call as Keras 2 wrote it: lists, and the calls of models inside counted from 1."""
    first = [old_tensor(each, inner) for each in tensors(node["args"])]
    options = {key: old_tensor(value, inner) if tensors(value) else value for key, value in node["kwargs"].items()}
    return [[*tensor, options] for tensor in first]


def tensors(value):
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [value]
    return [found for each in value for found in tensors(each)] if isinstance(value, list) else []


def old_tensor(value, inner):
    name, node, place = (value["config"] if isinstance(value, dict) else value)["keras_history"]
    return [name, node + (name in inner), place]


def old_model(owner):
    """A configuration, in place and with all that is in it, as Keras 2 wrote it."""
    if isinstance(owner, list):
        for each in owner:
            old_model(each)
    if not isinstance(owner, dict):
        return
    config = owner.get("config")
    layers = config.get("layers", []) if isinstance(config, dict) else []
    inner = {each["config"]["name"] for each in layers if "layers" in each["config"]}
    for each in layers:
        if "inbound_nodes" in each:
            each["inbound_nodes"] = [old_node(node, inner) for node in each["inbound_nodes"]]
    for key in ("input_layers", "output_layers"):
        if layers and isinstance(config.get(key), list) and isinstance(config[key][0], str):
            config[key] = [config[key]]
    if isinstance(owner.get("class_name"), str) and isinstance(config, dict):
        old_object(owner)
    for value in list(owner.values()):
        old_model(value)


def renamed(value, named):
    if isinstance(value, dict):
        return {key: renamed(each, named) for key, each in value.items()}
    if isinstance(value, list):
        return [renamed(each, named) for each in value]
    return named.get(value, value) if isinstance(value, str) else value


def old_config(config, named):
    old_model(config)
    return renamed(config, named)


def save_old(model, folder, name, named=()):
    """As `.keras` and as `.h5`."""
    path = Path(folder) / f"{name}.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    config = old_config(json.loads(members["config.json"]), dict(named))
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
        return [without_modules(each) for each in value]
    if not isinstance(value, dict):
        return value
    layer = "class_name" in value and isinstance(value["config"], dict) and "name" in value["config"]
    dropped = {"module", "registered_name", "build_config", "compile_config"} if layer else set()
    return {key: without_modules(each) for key, each in value.items() if key not in dropped}


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
            made = [
                {
                    "class_name": "TFOpLambda",
                    "config": {"name": layer, "function": called, "dtype": "float32", "trainable": True},
                    "name": layer,
                    "inbound_nodes": [[given, 0, 0, options]],
                }
                for layer, called, given, options in calls
            ]
            last["inbound_nodes"] = [[["tf.call", 0, 0, {}]]]
            last["config"]["activation"] = "hard_sigmoid"
            config["config"]["layers"] = [*before, *made, last]
            file.attrs["model_config"] = json.dumps(without_modules(config)).encode()
            file.attrs["keras_version"] = "2.15.0"


def balance(model):
    """Make the last layer's answers plain, and half of them yes."""
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
        found = tf.nn.softmax(tf.reshape(image, (-1, SIDE * SIDE)) @ self.weights)
        return {"out": found * tf.cond(found[0, 0] > 0.5, tf.function(self.beside), lambda: tf.constant(1.0))}


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
    """Load all of a folder, and tell as JSON what came of it: how far it is off, or why it is refused."""
    from convert.keras_files.loading import load_keras
    from edgecnn.errors import EdgecnnError

    told = {}
    for path in sorted(each for each in Path(folder).iterdir() if each.suffix in (".h5", ".keras") or each.is_dir()):
        try:
            model = load_keras(path)
            expected = path.with_suffix(".npy")
            given = model.predict(IMAGES / np.float32(255), verbose=0)
            told[path.name] = float(np.abs(given - np.load(expected)).max()) if expected.exists() else 0.0
        except EdgecnnError as error:
            told[path.name] = str(error)
    print(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[2:] == ["load"]:
        load(sys.argv[1])
        sys.exit()
    keras.utils.set_random_seed(0)
    np.savez(Path(sys.argv[1]) / "images.npz", images=IMAGES)
    for make in (keras_2, outputs, saved_models):
        make(sys.argv[1])
