"""What rewrites need of Keras layers: which reads which, and how much of it; a model built again with others."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import keras

SIDES = slice(1, 3)  # height and width in (batch, height, width, channels)
CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
_BY_CHANNEL = (  # one value in, one value out, by a rule of the channel
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
)
_CROP = "_crop"
Size = tuple[int, int]


class Readers:
    """How often each layer of a model is called, and its output read."""

    def __init__(self, model: keras.Model) -> None:
        nodes = [node for depth in model._nodes_by_depth.values() for node in depth]
        tensors = [tensor for node in nodes for tensor in node.input_tensors] + list(model.outputs)
        self._readers = Counter(tensor._keras_history.operation.name for tensor in tensors)
        self._calls = Counter(node.operation.name for node in nodes)

    def is_link(self, name: str) -> bool:
        """Whether a layer is called once, and its output read once."""
        return self._readers[name] == 1 and self._calls[name] == 1


def rebuilt(model: keras.Model, call_pooling: Callable[[Readers, Any, Any], Any]) -> keras.Model:
    """The model, built again of new layers with the same weights.

    Args:
        model: it is returned as it is where it has no pooling.
        call_pooling: called with the model's readers, a pooling and its input; returns the pooling's output, or that of
            other layers in its place.
    """
    functional = keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model
    if not any(isinstance(layer, POOLINGS) for layer in functional.layers):
        return model
    readers = Readers(functional)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        is_plain = len(args) == 1 and not kwargs and not isinstance(args[0], list)
        if is_plain and isinstance(layer, POOLINGS):
            return call_pooling(readers, layer, args[0])
        output = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Layer) and layer.weights:
            layer.set_weights(functional.get_layer(layer.name).get_weights())
        return output

    clone = keras.models.clone_model(functional, call_function=call)
    clone.name = model.name  # Keras would number it by what the process did before
    return clone


def writer(x: Any) -> tuple[Any, Any]:
    """The layer that wrote a tensor, and that layer's input; None for the input where it has several."""
    layer, place = x._keras_history.operation, x._keras_history.node_index
    inputs = layer._inbound_nodes[place].input_tensors
    return layer, inputs[0] if len(inputs) == 1 else None


def is_by_channel(layer: Any) -> bool:
    """Whether each output value depends on one input value, by a rule of its channel."""
    normalizes = isinstance(layer, keras.layers.BatchNormalization)
    return isinstance(layer, _BY_CHANNEL) and (not normalizes or layer.axis in (-1, 3))


def size_read(layer: Any, output: Size, size: Size) -> Size | None:
    """Height and width that a layer reads of an input of `size`, for this part of its output; None if unknown."""
    if is_by_channel(layer):
        return output
    if isinstance(layer, POOLINGS) and is_channels_last(layer) and needs_no_padding(layer, size):
        return span(output, layer.strides, layer.pool_size)
    if isinstance(layer, CONVOLUTIONS) and is_channels_last(layer) and layer.padding == "valid":
        reach = [
            (kernel - 1) * dilation + 1 for kernel, dilation in zip(layer.kernel_size, layer.dilation_rate, strict=True)
        ]
        return span(output, layer.strides, reach)
    return None


def span(output: Size, strides: Sequence[int], reach: Sequence[int]) -> Size:
    """Height and width that windows of this reach cover."""
    height, width = ((n - 1) * stride + far for n, stride, far in zip(output, strides, reach, strict=True))
    return height, width


def is_channels_last(layer: Any) -> bool:
    """Whether a layer takes (batch, height, width, channels)."""
    return bool(layer.data_format == "channels_last")


def needs_no_padding(pooling: Any, size: Size) -> bool:
    """Whether a pooling pads no input of this size."""
    is_even = all(n % stride == 0 for n, stride in zip(size, pooling.strides, strict=True))
    return pooling.padding == "valid" or (is_even and tuple(pooling.strides) == tuple(pooling.pool_size))


def cropped(x: Any, size: Size, name: str) -> Any:
    """The top left corner of an image."""
    height, width = (n - m for n, m in zip(x.shape[SIDES], size, strict=True))
    layer = keras.layers.Cropping2D(((0, height), (0, width)), name=f"{name}{_CROP}")
    return layer(x) if height or width else x


def is_crop(layer: Any) -> bool:
    """Whether `cropped` added a layer."""
    return isinstance(layer, keras.layers.Cropping2D) and layer.name.endswith(_CROP)
