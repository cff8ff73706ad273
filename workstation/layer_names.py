"""Names that last: from Keras layers to the tensors that converters make of them, and back.

TensorFlow makes names unique by numbering: of two layers `conv2d` and `conv2d_1` the scopes become `conv2d_1` and
`conv2d_1_2`, and nothing says which is which. So while a model is traced its layers' names end in a dot, which makes
the scopes `conv2d._1` and `conv2d_1._1`: the layer's name stands before the dot.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_MARK = "."
_LAYER = r"(\w[^/;\"\s]*)\.(?:_\d+)?"
_MARKED = re.compile(_LAYER + "(?=[/;:]|$)")
_SCOPE = re.compile(_LAYER + "(?=/)")  # in running text, a dot at the end is no mark


@contextmanager
def marked(model: "keras.Model") -> Iterator[None]:
    """Within, the names of all layers of `model`, those of sub-models too, carry the mark."""
    layers = model._flatten_layers(include_self=False)
    names = {layer: layer.name for layer in layers}
    try:
        for layer in names:
            layer.name += _MARK
        yield
    finally:
        for layer, name in names.items():
            layer.name = name


def layer_names(model: "keras.Model") -> list[str]:
    """The names of all layers of `model`, those of sub-models too."""
    return [layer.name for layer in model._flatten_layers(include_self=False)]


def layer_channels(model: "keras.Model") -> dict[str, int]:
    """How many channels each layer of `model` has: the last side of its output."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer._inbound_nodes]
    return {layer.name: layer._inbound_nodes[0].output_tensors[0].shape[-1] for layer in layers}


def layer_of(name: str) -> str | None:
    """The Keras layer that a tensor or node of a converted model came from; None for what the converter added.

    A name that fuses several (`conv._1/Relu;conv._1/BiasAdd`) belongs to the first, innermost layer.
    """
    layers = _MARKED.findall(name.split(";", maxsplit=1)[0])
    return layers[-1] if layers else None


def layer_in(text: str) -> str | None:
    """The Keras layer that a converter's error names; None where it names none."""
    scope = _SCOPE.search(text)
    return scope[1] if scope else None


def by_layer(named: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Values by the layer that their name, of a tensor or node, belongs to; in order."""
    layers: dict[str, list[str]] = {}
    for name, value in named:
        if layer := layer_of(name):
            layers.setdefault(layer, []).append(value)
    return layers
