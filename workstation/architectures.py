"""Small image classifiers, each written once: `python -m train` fits them, `python -m benchmarks.suite` times them.

A function takes a shape (height, width, channels) and classes, and returns an untrained Keras model from float32 images
to probabilities. A width of 0.5 has half of the channels. Layers have names, so that weights of another file can be
matched with them; only those of the reference network are numbered by Keras.

`mobilenet_v1` and `mobilenet_v2` take the names of `keras.applications`, and on images of 96 pixels or more they
compute the same, so that its files of weights fit. They halve an image five times. On smaller images they leave out
the first of these, so that 3 pixels or more of a side remain: at 32 pixels they halve three times.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

Shape = tuple[int, ...]

_MOMENTUM = 0.9  # of batch normalization's running means: an epoch on few images has few batches
_LEAST_SIDE = 3  # pixels of a MobileNet's last features
_MOBILE_EPSILON = 1e-3


def reference_cnn(shape: Shape, classes: int, sizes: tuple[int, int, int, int] = (32, 64, 64, 64)) -> keras.Model:
    """The CNN of the TensorFlow tutorial, 93,322 parameters on 28x28x1 with 10 classes.

    `sizes`: channels of the three convolutions, and units of the first dense layer.
    """
    first, second, third, dense = sizes
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(first, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(second, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(third, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(dense, activation="relu"),
            layers.Dense(classes, activation="softmax"),
        ],
        name="reference_cnn",
    )


def resnet8(shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """MLPerf Tiny's image classification: three stacks of residual blocks."""
    image = keras.Input(shape)
    x = _activated(image, channels(16 * width), 3, 1, "stem")
    for stack, filters in enumerate((channels(16 * width), channels(32 * width), channels(64 * width)), start=1):
        strides = 1 if stack == 1 else 2
        y = _activated(x, filters, 3, strides, f"stack{stack}_1")
        y = _normalized(y, filters, 3, 1, f"stack{stack}_2")
        if strides == 2:
            x = _normalized(x, filters, 1, 2, f"stack{stack}_shortcut")
        x = layers.ReLU(name=f"stack{stack}_relu")(layers.Add(name=f"stack{stack}_add")([x, y]))
    return _classified(image, x, classes, "resnet8")


def ds_cnn(shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """MLPerf Tiny's keyword spotting: depthwise separable convolutions; the first one is as long as a spectrogram."""
    image = keras.Input(shape)
    filters = channels(64 * width)
    x = _activated(image, filters, (10, 4) if shape[0] > 2 * shape[1] else (4, 4), 2, "stem")
    for block in range(1, 5):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name=f"block{block}_depthwise")(x)
        x = layers.BatchNormalization(momentum=_MOMENTUM, name=f"block{block}_depthwise_bn")(x)
        x = layers.ReLU(name=f"block{block}_depthwise_relu")(x)
        x = _activated(x, filters, 1, 1, f"block{block}_pointwise")
    return _classified(image, x, classes, "ds_cnn")


def mobilenet_v1(shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """MobileNetV1; MLPerf Tiny's visual wake words has a width of 0.25. Source: A. Howard et al. (2017)."""
    image = keras.Input(shape)
    halves = _halves(shape)
    x = _mobile(layers.Conv2D, image, "conv1", "conv1_bn", "conv1_relu", int(32 * width), 3, next(halves))
    blocks = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
    for block, filters in enumerate(blocks, start=1):
        strides = next(halves) if block in (2, 4, 6, 12) else 1
        names = [
            (f"conv_{kind}_{block}", f"conv_{kind}_{block}_bn", f"conv_{kind}_{block}_relu") for kind in ("dw", "pw")
        ]
        x = _mobile(layers.DepthwiseConv2D, x, *names[0], 3, strides)
        x = _mobile(layers.Conv2D, x, *names[1], int(filters * width), 1, 1)
    return _classified(image, x, classes, "mobilenet_v1")


def mobilenet_v2(shape: Shape, classes: int, width: float = 1.0) -> keras.Model:
    """MobileNetV2: inverted residual blocks. Source: M. Sandler et al. (2018)."""
    image = keras.Input(shape)
    halves = _halves(shape)
    x = _mobile(layers.Conv2D, image, "Conv1", "bn_Conv1", "Conv1_relu", channels(32 * width), 3, next(halves))
    x = _inverted(x, channels(16 * width), 1, 1, "expanded_conv_")
    block = 0
    for filters, repeats, halving in ((24, 2, 1), (32, 3, 1), (64, 4, 1), (96, 3, 0), (160, 3, 1), (320, 1, 0)):
        for repeat in range(repeats):
            block += 1
            strides = next(halves) if halving and repeat == 0 else 1
            x = _inverted(x, channels(filters * width), 6, strides, f"block_{block}_")
    last = channels(1280 * max(1.0, width))
    x = _mobile(layers.Conv2D, x, "Conv_1", "Conv_1_bn", "out_relu", last, 1, 1)
    return _classified(image, x, classes, "mobilenet_v2")


def channels(wanted: float) -> int:
    """The multiple of 8 nearest to a number of channels, and not a tenth below it, as MobileNetV2 rounds."""
    nearest = max(8, int(wanted + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * wanted else nearest


def _normalized(x: Any, filters: int, kernel: Any, strides: int, name: str) -> Any:
    """A convolution with batch normalization."""
    x = layers.Conv2D(filters, kernel, strides, padding="same", use_bias=False, name=name)(x)
    return layers.BatchNormalization(momentum=_MOMENTUM, name=f"{name}_bn")(x)


def _activated(x: Any, filters: int, kernel: Any, strides: int, name: str) -> Any:
    """A convolution with batch normalization and ReLU."""
    return layers.ReLU(name=f"{name}_relu")(_normalized(x, filters, kernel, strides, name))


def _classified(image: Any, x: Any, classes: int, name: str) -> keras.Model:
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax", name="classes")(x), name=name)


def _halves(shape: Shape) -> Any:
    """Strides of a MobileNet's five places where it may halve the image: the first are 1 on small images."""
    halvings = 5
    while halvings > 0 and min(shape[:2]) / 2**halvings < _LEAST_SIDE:
        halvings -= 1
    return iter([1] * (5 - halvings) + [2] * halvings)


def _mobile(kind: Callable[..., Any], x: Any, name: str, norm: str, relu: str, *sizes: int) -> Any:
    """A convolution with batch normalization and ReLU6; `sizes`: filters (not if depthwise), kernel and strides."""
    x = kind(*sizes, padding="same", use_bias=False, name=name)(x)
    x = layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_MOBILE_EPSILON, name=norm)(x)
    return layers.ReLU(6.0, name=relu)(x)


def _inverted(x: Any, filters: int, expansion: int, strides: int, name: str) -> Any:
    """Channels are multiplied, filtered one by one and summed up; equal shapes are added."""
    y = x
    if expansion > 1:
        wide = expansion * x.shape[-1]
        y = _mobile(layers.Conv2D, y, f"{name}expand", f"{name}expand_BN", f"{name}expand_relu", wide, 1, 1)
    names = f"{name}depthwise", f"{name}depthwise_BN", f"{name}depthwise_relu"
    y = _mobile(layers.DepthwiseConv2D, y, *names, 3, strides)
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}project")(y)
    y = layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_MOBILE_EPSILON, name=f"{name}project_BN")(y)
    return layers.Add(name=f"{name}add")([x, y]) if x.shape == y.shape else y
