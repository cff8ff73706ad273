"""A model's layers in one functional graph, and what the graph gives with other layers in their place."""

from collections.abc import Callable
from typing import Any

import keras


def flattened(model: keras.Model) -> keras.Model:
    """The same layers in one functional model: those of models inside it too."""
    return with_layers(model, lambda operation: operation)


def with_layers(model: keras.Model, replaced: Callable[[Any], Any]) -> keras.Model:
    """The model's graph, built again: `replaced(operation)` is called in place of each layer or operation."""
    inputs = [keras.Input(batch_shape=tensor.shape, name=tensor.name) for tensor in _functional(model).inputs]
    ends = inputs[0] if len(inputs) == 1 else inputs
    return keras.Model(ends, _through(model, inputs, replaced), name=model.name)


def nodes_of(model: keras.Model) -> list[Any]:
    """The calls of a functional model's operations, in an order in which they can be made."""
    return [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]


def _through(model: keras.Model, inputs: list[Any], replaced: Callable[[Any], Any]) -> Any:
    def called(operation: Any) -> Any:
        if isinstance(operation, keras.Model):
            return lambda *tensors, **_: _through(operation, list(tensors), replaced)
        return replaced(operation)

    functional = _functional(model)
    ends = inputs[0] if len(inputs) == 1 and not isinstance(functional._inputs_struct, list) else inputs
    return functional._run_through_graph(ends, operation_fn=called)


def _functional(model: keras.Model) -> Any:
    return keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model
