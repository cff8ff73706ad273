"""A network as it is fitted: the same graph and variables, where TensorFlow has a better kernel than Keras calls.

oneDNN's gradient of a 1x1 convolution with strides writes beyond its buffer where the image has fewer channels than a
vector has floats (https://github.com/uxlfoundation/oneDNN/issues/6035): the process dies, or the gradient is wrong.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

_fused = tf.compat.v1.nn.fused_batch_norm


class _Normalization(layers.Layer):  # type: ignore[misc]
    """Batch normalization of images by one kernel, where Keras takes one for each mean, square and product.

    The running variance is the unbiased one: n / (n - 1) times Keras's, of n pixels.
    """

    def __init__(self, layer: layers.BatchNormalization) -> None:
        super().__init__(name=layer.name)
        self.layer = layer

    @staticmethod
    def suits(layer: layers.BatchNormalization) -> bool:
        """Whether the kernel takes the layer's images, (batch, height, width, channels)."""
        return layer.input_spec.ndim == 4 and layer.axis in (-1, 3) and not layer.renorm and not layer.synchronized

    def call(self, inputs: Any, training: bool | None = None, mask: None = None) -> Any:
        """Normalize float32 images; Keras passes a `mask`, of which images have none."""
        layer = self.layer
        mean, variance = layer.moving_mean, layer.moving_variance
        if not (training and layer.trainable):
            return _fused(inputs, *_scale_and_shift(layer), mean, variance, layer.epsilon, is_training=False)[0]
        outputs, *current = normalized_by_batch(layer, inputs)
        for running, now in zip((mean, variance), current, strict=True):
            running.assign(running * layer.momentum + now * (1 - layer.momentum))
        return outputs


def normalized_by_batch(layer: layers.BatchNormalization, images: Any) -> Any:
    """Float32 images normalized by their own statistics, as the layer does while it is fitted; mean; variance."""
    return _fused(images, *_scale_and_shift(layer), epsilon=layer.epsilon)


def _scale_and_shift(layer: layers.BatchNormalization) -> tuple[Any, Any]:
    gamma = layer.gamma if layer.scale else tf.ones_like(layer.moving_mean)
    return gamma, layer.beta if layer.center else tf.zeros_like(layer.moving_mean)


class _Pointwise(layers.Layer):  # type: ignore[misc]
    """A convolution of single pixels, those that its strides meet, as one matrix product."""

    def __init__(self, layer: layers.Conv2D) -> None:
        super().__init__(name=layer.name)
        self.layer = layer

    @staticmethod
    def suits(layer: layers.Conv2D) -> bool:
        """Whether the convolution of images, (batch, height, width, channels), is such a product."""
        plain = layer.data_format == "channels_last" and layer.groups == 1 and layer.activity_regularizer is None
        return plain and layer.kernel_size == (1, 1)

    def call(self, inputs: Any) -> Any:
        """Convolve float32 images."""
        layer, channels, kernel = self.layer, inputs.shape[-1], tf.convert_to_tensor(self.layer.kernel)
        down, across = layer.strides
        pixels = inputs[:, ::down, ::across] if max(layer.strides) > 1 else inputs
        products = tf.matmul(tf.reshape(pixels, [-1, channels]), tf.reshape(kernel, [channels, -1]))
        outputs = tf.reshape(products, [*tf.unstack(tf.shape(pixels)[:3]), layer.filters])
        outputs.set_shape([*pixels.shape[:3], layer.filters])
        return layer.activation(outputs + layer.bias if layer.use_bias else outputs)


_FASTER: dict[type, Any] = {layers.BatchNormalization: _Normalization, layers.Conv2D: _Pointwise}


def fast_network(model: keras.Model) -> keras.Model:
    """A model that computes the same with the same variables, of better layers.

    Returns:
        `model` itself where its layers are in no graph, as those of a class of one's own.
    """
    return keras.models.clone_model(model, clone_function=_faster, recursive=True) if is_graph(model) else model


def is_graph(model: keras.Model) -> bool:
    """Whether a model's layers are in a graph that can be copied."""
    return isinstance(model, keras.Sequential) or hasattr(model, "operations")


def _faster(layer: layers.Layer) -> layers.Layer:
    kind = _FASTER.get(type(layer))
    if kind is None or not layer.built or layer.compute_dtype != "float32" or not kind.suits(layer):
        return layer
    return kind(layer)
