"""Weights to start from: those of a file, or of ImageNet through `keras.applications`, for layers of the same body.

Layers are matched by name and by the shapes of their weights: a head of another number of classes starts anew.
"""

import sys
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import keras

from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays
from edgecnn.labels import listed
from train.checkpoint import Arrays
from train.networks import Architecture

IMAGENET = "imagenet"
_BODIES = {"mobilenet_v1": keras.applications.MobileNet, "mobilenet_v2": keras.applications.MobileNetV2}
_SIDE = 224  # pixels: of the images that ImageNet's weights are for
_MOST_WORDS = 200  # characters of an error of Keras

Layers = Mapping[str, Arrays]  # the weights of each layer, in Keras's order
Shapes = Mapping[str, list[tuple[int, ...]]]


def with_weights(network: Architecture, source: str, shape: tuple[int, ...], classes: int) -> Architecture:
    """The network that starts from weights; says on stderr how many layers have them.

    Args:
        network: of the same body as the weights.
        source: `imagenet`, or a `.keras` or `.h5` file.
        shape: of an image.
        classes: how many.

    Raises:
        EdgecnnError: the weights cannot be had, or no layer of them fits.
    """
    keras.utils.clear_session()  # layers without a name of their own are numbered from here
    model = network.build(shape, classes)
    wanted = {layer.name: _shapes(layer) for layer in model.layers if layer.weights}
    fitting = _of_imagenet(network, wanted) if source == IMAGENET else _of_file(Path(source), wanted)
    missing = [name for name in wanted if name not in fitting]
    if not fitting:
        raise EdgecnnError(
            f"--weights {source}: no layer has the name and shape of one of {network.name}: {listed(missing)}"
        )
    new = f"; new: {listed(missing)}" if missing else ""
    print(f"weights of {len(fitting)} of {len(wanted)} layers are from {source}{new}", file=sys.stderr)
    digest = hash_arrays([array for arrays in fitting.values() for array in arrays])
    build = _starting_from(network.build, fitting)
    return replace(network, build=build, sha256=f"{network.sha256[:8]}{digest[:8]}", pretrained=tuple(fitting))


def _starting_from(build: Callable[..., keras.Model], weights: Layers) -> Callable[..., keras.Model]:
    def built(shape: tuple[int, ...], classes: int) -> keras.Model:
        model = build(shape, classes)
        for name, arrays in weights.items():
            model.get_layer(name).set_weights(arrays)
        return model

    return built


def _shapes(layer: keras.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _of_model(model: keras.Model, wanted: Shapes) -> Layers:
    """The weights of a model's layers, and of those of models inside it, where they fit."""
    inner = [_of_model(layer, wanted) for layer in model.layers if isinstance(layer, keras.Model)]
    fitting = {layer.name: layer.get_weights() for layer in model.layers if _shapes(layer) == wanted.get(layer.name)}
    return dict(ChainMap(fitting, *(dict(part) for part in inner)))


def _of_imagenet(network: Architecture, wanted: Shapes) -> Layers:
    """The weights of a MobileNet's body, downloaded by Keras into its cache."""
    name, _, width = network.name.partition(" ")
    if name not in _BODIES:
        raise EdgecnnError(f"--weights {IMAGENET}: there are none of {name}: --network {' or '.join(_BODIES)}")
    try:
        body = _BODIES[name]((_SIDE, _SIDE, 3), alpha=float(width or 1), include_top=False, weights=IMAGENET)
    except Exception as error:
        words = _words(error)
        raise EdgecnnError(
            f"--weights {IMAGENET}: {words}; download the file elsewhere, and pass --weights FILE"
        ) from None
    return _of_model(body, wanted)


def _of_file(path: Path, wanted: Shapes) -> Layers:
    """The weights of a file of Keras: a model, or weights as Keras 2 stored them.

    Raises:
        EdgecnnError: it is neither, or damaged.
    """
    if not path.is_file():
        raise EdgecnnError(f"--weights {path}: no such file; {IMAGENET}, or a .keras or .h5 file")
    try:
        if h5py.is_hdf5(path):
            with h5py.File(path) as file:
                return dict(_stored(file.get("model_weights", file), wanted))
        return _of_model(keras.models.load_model(path, compile=False), wanted)
    except Exception as error:
        raise EdgecnnError(f"--weights {path}: no weights of Keras can be read from it: {_words(error)}") from None


def _stored(group: Any, wanted: Shapes) -> Iterator[tuple[str, Arrays]]:
    """The layers of a file in Keras 2's format that fit; no others are read."""
    for name in wanted:
        layer = group.get(name, {})
        weights = [layer[weight] for weight in layer.attrs["weight_names"]] if layer else []
        if [weight.shape for weight in weights] == wanted[name]:
            yield name, [weight[()].astype("float32") for weight in weights]


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:_MOST_WORDS]
