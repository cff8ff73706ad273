"""Names that last: from Keras layers to the tensors that converters make of them, and back.

TensorFlow makes names unique by numbering: of two layers `conv2d` and `conv2d_1` the scopes become `conv2d_1` and
`conv2d_1_2`, and which is which cannot be told. So layers are marked before a conversion, with a dot, which makes the
scopes `conv2d._1` and `conv2d_1._1`: what stands before the dot is the layer.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_MARK = "."
_LAYER = r"(\w[^/;\"\s]*)\.(?:_\d+)?"
_MARKED = re.compile(_LAYER + "(?=[/;:]|$)")
_SCOPE = re.compile(_LAYER + "(?=/)")  # in running text, a dot at the end is no mark


def mark_layers(model: "keras.Model") -> None:
    """Mark the names of all layers of `model`, those of sub-models too, once."""
    for layer in model._flatten_layers(include_self=False):
        if not layer.name.endswith(_MARK):
            layer.name += _MARK


def unmarked(name: str) -> str:
    """A layer's name as the user gave it."""
    return name.removesuffix(_MARK)


def layer_names(model: "keras.Model") -> list[str]:
    """Names of all layers of `model`, as the user gave them."""
    return [unmarked(layer.name) for layer in model._flatten_layers(include_self=False)]


def layer_channels(model: "keras.Model") -> dict[str, int]:
    """How many channels each layer of `model` gives: the last side of its output."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer._inbound_nodes]
    return {unmarked(layer.name): layer._inbound_nodes[0].output_tensors[0].shape[-1] for layer in layers}


def layer_of(name: str) -> str | None:
    """The Keras layer that a tensor or node of a converted model came from; None for what the converter added.

    A name that fuses several (`conv._1/Relu;conv._1/BiasAdd`) belongs to the first, innermost layer.
    """
    found = _MARKED.findall(name.split(";", maxsplit=1)[0])
    return found[-1] if found else None


def layer_in(text: str) -> str | None:
    """The Keras layer that a converter's error speaks of, if it names one."""
    found = _SCOPE.search(text)
    return found[1] if found else None


def by_layer(named: list[tuple[str, str]]) -> dict[str, list[str]]:
    """By layer, in order: the values whose names lead to it."""
    found: dict[str, list[str]] = {}
    for name, value in named:
        if layer := layer_of(name):
            found.setdefault(layer, []).append(value)
    return found
