"""Remove channels: a new Keras model of fewer, with the weights of those that are kept."""

from typing import Any

import keras

from train.flat_model import with_layers
from train.shrink.graph import Graph, Kept
from train.shrink.rules import RULES


def narrowed(graph: Graph, kept: Kept, with_weights: bool = True) -> keras.Model:
    """The network with the units that are kept: the same layers, under the same names, with fewer channels.

    Args:
        graph: of the whole network.
        kept: (units,), bool; the fixed units among them.
        with_weights: of the whole network; else new ones.
    """
    copies: dict[int, Any] = {}

    def copy(operation: Any) -> Any:
        if not isinstance(operation, keras.layers.Layer):
            return operation
        if id(operation) not in copies:
            count = int(kept[graph.written[operation.name]].sum())
            config = operation.get_config() | RULES[type(operation).__name__].config(operation, count)
            copies[id(operation)] = type(operation).from_config(config)
        return copies[id(operation)]

    model = with_layers(graph.model, copy)
    if with_weights:
        for layer in graph.model.layers:
            _copy_weights(graph, kept, layer, copies.get(id(layer)))
    return model


def _copy_weights(graph: Graph, kept: Kept, layer: Any, copy: Any) -> None:
    arrays = layer.get_weights()
    if arrays:
        read, written = (kept[part[layer.name]] for part in (graph.read, graph.written))
        copy.set_weights(RULES[type(layer).__name__].weights(layer, arrays, read, written))
