"""Batch normalization while a network is fitted: layers that lack it get it, and it is folded away afterwards.

It begins as the identity, with mean and deviation of what the layer gives now, so that no output changes; once channels
are removed, with those of what the layer gave before. Where maxima are pooled right behind the layer, batch
normalization and activation follow the pooling, which leaves a quarter to compute: neither of them decreases, so that
the largest value stays the largest.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from train.flat_model import nodes_of, with_layers

_MOMENTUM = 0.9
_RISING = ("linear", "relu", "relu6", "sigmoid", "tanh")  # activations that never decrease
_NORM, _ACTIVATION = "_shrink_norm", "_shrink_activation"


def normalized(plain: keras.Model, inputs: npt.NDArray[np.float32] | None) -> keras.Model:
    """The network with batch normalization behind each hidden layer that has a bias of its own instead.

    Args:
        plain: functional; it keeps its weights.
        inputs: images, (n, height, width, channels), that set the first mean and deviation; None: all weights are new.
    """
    names, pooled, copies = _hidden(plain), _pooled(plain), _Copies()

    def copy(operation: Any) -> Any:
        if operation.name in pooled:
            return _then_normal(copies(operation), plain.get_layer(pooled[operation.name]))
        if operation.name not in names:
            return copies(operation)
        linear = copies(operation, use_bias=False, activation=None)
        return linear if operation.name in pooled.values() else _then_normal(linear, operation)

    model = with_layers(plain, copy)
    if inputs is not None:
        for layer in plain.layers:
            if layer.weights:
                _set(model, layer, layer.name in names)
        _begin(model, names, inputs)
    return model


def begin_as(whole: keras.Model, model: keras.Model, kept: Callable[[str], npt.NDArray[np.bool_]]) -> None:
    """Let the outputs of layers vary as before channels were removed: else most units answer all images, or none.

    Args:
        whole: the network with all channels, normalized with images; its scales and shifts are deviations and means.
        model: the network with some of them, normalized with the same images.
        kept: by the name of a layer: which channels of its output `model` has.
    """
    for layer in model.layers:
        if layer.name.endswith(_NORM):
            scale, shift, *_ = whole.get_layer(layer.name).get_weights()
            channels = kept(layer.name.removesuffix(_NORM))
            layer.set_weights([scale[channels], shift[channels], *layer.get_weights()[2:]])


def folded(fitted: keras.Model, plain: keras.Model) -> keras.Model:
    """Set the weights of `plain` so that it computes what `fitted` does (see `train.networks.fold`)."""
    names = _hidden(plain)
    for layer in plain.layers:
        weights = fitted.get_layer(layer.name).get_weights()
        if layer.name in names:
            norm = fitted.get_layer(f"{layer.name}{_NORM}")
            gamma, beta, mean, variance = norm.get_weights()
            scale = gamma / np.sqrt(variance + norm.epsilon)
            weights = [weights[0] * scale, beta - mean * scale]
        layer.set_weights(weights)
    return plain


class _Copies:
    """New layers in place of a model's, one for each."""

    def __init__(self) -> None:
        self._copies: dict[int, Any] = {}

    def __call__(self, operation: Any, **changes: Any) -> Any:
        if not isinstance(operation, layers.Layer):
            return operation
        if id(operation) not in self._copies:
            self._copies[id(operation)] = type(operation).from_config(operation.get_config() | changes)
        return self._copies[id(operation)]


def _hidden(plain: keras.Model) -> set[str]:
    """Names of convolutions and dense layers with a bias, called once, which no batch normalization follows."""
    nodes = nodes_of(plain)
    ends = {id(tensor) for tensor in plain.outputs}
    followed = {
        id(tensor)
        for node in nodes
        if isinstance(node.operation, layers.BatchNormalization)
        for tensor in node.input_tensors
    }
    calls = [node.operation.name for node in nodes]
    return {
        node.operation.name
        for node in nodes
        if type(node.operation) in (layers.Conv2D, layers.Dense) and node.operation.use_bias
        if calls.count(node.operation.name) == 1 and not {id(node.outputs[0])} & (ends | followed)
    }


def _pooled(plain: keras.Model) -> dict[str, str]:
    """By pooling of maxima: the hidden layer before it, if nothing else reads it and its activation never decreases."""
    nodes = nodes_of(plain)
    calls = [node.operation.name for node in nodes]
    hidden = _hidden(plain)
    outputs = {node.operation: id(node.outputs[0]) for node in nodes if node.operation.name in hidden}
    pooled = {}
    for layer, output in outputs.items():
        readers = [node.operation for node in nodes if output in map(id, node.input_tensors)]
        pools = len(readers) == 1 and isinstance(readers[0], layers.MaxPooling2D)
        if pools and calls.count(readers[0].name) == 1 and layer.get_config()["activation"] in _RISING:
            pooled[readers[0].name] = layer.name
    return pooled


def _then_normal(before: Any, layer: Any) -> Any:
    """The layer or its pooling, then batch normalization and the layer's activation."""
    norm = layers.BatchNormalization(momentum=_MOMENTUM, gamma_constraint="non_neg", name=f"{layer.name}{_NORM}")
    activation = layers.Activation(layer.get_config()["activation"], name=f"{layer.name}{_ACTIVATION}")
    return lambda x: activation(norm(before(x)))


def _set(model: keras.Model, layer: Any, is_spread: bool) -> None:
    """Copy a layer's weights; its batch normalization is the identity and adds its bias."""
    weights = layer.get_weights()
    if is_spread:
        norm = model.get_layer(f"{layer.name}{_NORM}")
        kernel, bias = weights
        ones = np.ones_like(bias)
        norm.set_weights([ones, bias, 0 * ones, ones - norm.epsilon])
        weights = [kernel]
    model.get_layer(layer.name).set_weights(weights)


def _begin(model: keras.Model, names: set[str], inputs: npt.NDArray[np.float32]) -> None:
    """Set mean and variance to those of the images, and scale and shift so that no output changes."""
    for name in names:
        norm = model.get_layer(f"{name}{_NORM}")
        sums = np.asarray(keras.Model(model.inputs[0], norm.input)(inputs))
        _, bias, _, _ = norm.get_weights()
        axes = tuple(range(sums.ndim - 1))
        mean, variance = sums.mean(axis=axes), sums.var(axis=axes)
        norm.set_weights([np.sqrt(variance + norm.epsilon), bias + mean, mean, variance])
