"""The networks of the suite; a new one is a function and a row of `NETWORKS`. Each function takes the module keras."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SuiteNetwork:
    """A network of the suite."""

    name: str  # on the command line
    title: str  # in tables
    build: Callable[[Any], Any]  # the module keras -> a model


def _tutorial(keras: Any, *channels: int) -> Any:
    """The CNN of the TensorFlow tutorial with these channels of its convolutions and of its first dense layer."""
    first, second, third, dense = channels
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(first, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(second, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(third, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(dense, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def reference(keras: Any) -> Any:
    """The reference network of edgecnn."""
    return _tutorial(keras, 32, 64, 64, 64)


def narrow(keras: Any) -> Any:
    """The reference network with few channels."""
    return _tutorial(keras, 8, 16, 16, 32)


def _convolution(keras: Any, x: Any, filters: int, size: Any = 3, strides: int = 1, relu: bool = True) -> Any:
    x = keras.layers.Conv2D(filters, size, strides, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU()(x) if relu else x


def resnet8(keras: Any) -> Any:
    """MLPerf Tiny's image classification: three stacks of residual blocks."""
    image = keras.Input((32, 32, 3))
    x = _convolution(keras, image, 16)
    for filters in (16, 32, 64):
        strides = 1 if filters == 16 else 2
        y = _convolution(keras, x, filters, strides=strides)
        y = _convolution(keras, y, filters, relu=False)
        x = x if strides == 1 else _convolution(keras, x, filters, size=1, strides=2, relu=False)
        x = keras.layers.ReLU()(keras.layers.Add()([x, y]))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))


def ds_cnn(keras: Any) -> Any:
    """MLPerf Tiny's keyword spotting: depthwise separable convolutions over a spectrogram."""
    image = keras.Input((49, 10, 1))
    x = _convolution(keras, image, 64, size=(10, 4), strides=2)
    for _ in range(4):
        x = keras.layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(x))
        x = _convolution(keras, x, 64, size=1)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, keras.layers.Dense(12, activation="softmax")(x))


def mobilenet_v1(keras: Any) -> Any:
    """MLPerf Tiny's visual wake words: MobileNetV1 of width 0.25."""
    return keras.applications.MobileNet((96, 96, 3), alpha=0.25, weights=None, classes=2)


def mobilenet_v2(keras: Any) -> Any:
    """MobileNetV2 of width 0.35."""
    return keras.applications.MobileNetV2((96, 96, 3), alpha=0.35, weights=None, classes=10)


def mobilenet_v2_160(keras: Any) -> Any:
    """MobileNetV2 of width 1.0."""
    return keras.applications.MobileNetV2((160, 160, 3), alpha=1.0, weights=None, classes=10)


NETWORKS = {
    network.name: network
    for network in (
        SuiteNetwork("reference", "reference, 28x28x1", reference),
        SuiteNetwork("narrow", "reference with 8, 16, 16, 32 channels", narrow),
        SuiteNetwork("resnet8", "ResNet-8, 32x32x3", resnet8),
        SuiteNetwork("ds_cnn", "DS-CNN, 49x10x1", ds_cnn),
        SuiteNetwork("mobilenet_v1", "MobileNetV1 0.25, 96x96x3", mobilenet_v1),
        SuiteNetwork("mobilenet_v2", "MobileNetV2 0.35, 96x96x3", mobilenet_v2),
        SuiteNetwork("mobilenet_v2_160", "MobileNetV2 1.0, 160x160x3", mobilenet_v2_160),
    )
}
