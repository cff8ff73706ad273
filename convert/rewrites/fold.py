"""The rewrites `patches` and `blocks`: a convolution and the pooling behind it become one convolution."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from convert.rewrites.layers import (
    SIDES,
    Readers,
    Size,
    cropped,
    is_by_channel,
    is_channels_last,
    needs_no_padding,
    rebuilt,
    span,
    writer,
)

_ALIGNED = 4  # input channels that int8 kernels round up to
Weights = npt.NDArray[np.float32]


def patches(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Fold a convolution and the pooling behind it into one convolution over patches.

    With kernel k, stride s and a pooling by p, the p*p values behind one pooled value read a patch of k + (p - 1) s
    rows. An identity convolution with stride p s lays each patch out as channels. A 1x1 convolution, whose kernel is
    the original's at p*p offsets, computes all p*p values of a position side by side; pooling runs over these. Each
    sum has the terms that it had, and zeros.

    Returns:
        The model, and what changed, in words.
    """

    def convolve(fold: _Fold, x: Any) -> Any:
        height, width = fold.window
        channels = x.shape[-1]
        eye = np.eye(height * width * channels, dtype=np.float32).reshape(height, width, channels, -1)
        identity = keras.layers.Conv2D(
            eye.shape[-1], fold.window, fold.step, use_bias=False, name=f"{fold.conv.name}_patches"
        )
        y = _with_weights(identity, x, [eye])
        return fold.convolved(y, fold.kernel().reshape(1, 1, height * width * channels, -1))

    return _folded(model, convolve, lambda fold: True)


def blocks(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Fold a convolution and the pooling behind it into one convolution over blocks of pixels.

    As `patches`, but space-to-depth lays blocks of p s x p s pixels out as channels, and the convolution reads
    (k + (p - 1) s) / (p s) of them a side; it applies where that is a whole number.

    Returns:
        The model, and what changed, in words.
    """

    def convolve(fold: _Fold, x: Any) -> Any:
        (height, width), (down, across), channels = fold.window, fold.step, x.shape[-1]
        kernel = fold.kernel().reshape(height // down, down, width // across, across, channels, -1)
        kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(
            height // down, width // across, down * across * channels, -1
        )
        y = _SpaceToDepth(down, name=f"{fold.conv.name}_blocks")(x)
        return fold.convolved(y, kernel)

    def fits(fold: _Fold) -> bool:
        (height, width), (down, across) = fold.window, fold.step
        return down == across and height % down == 0 and width % across == 0

    return _folded(model, convolve, fits)


@dataclass(frozen=True)
class _Fold:
    """A convolution, layers by channel, and a pooling without overlap, which become one convolution."""

    conv: Any
    between: list[Any]
    pooling: Any
    weights: list[Weights]  # of the convolution
    output: tuple[int, int, int]  # height, width and channels after the pooling

    @property
    def step(self) -> Size:
        """Rows and columns of the input from one pooled value to the next."""
        down, across = (p * s for p, s in zip(self.pooling.pool_size, self.conv.strides, strict=True))
        return down, across

    @property
    def window(self) -> Size:
        """Rows and columns of the input behind one pooled value."""
        return span(self.pooling.pool_size, self.conv.strides, self.conv.kernel_size)

    def kernel(self) -> Weights:
        """The kernel at each offset within the window, side by side: (rows, columns, channels, offsets * filters)."""
        (down, across), (rows, columns, channels, filters) = self.conv.strides, self.weights[0].shape
        high, wide = self.pooling.pool_size
        placed = np.zeros((*self.window, channels, high, wide, filters), np.float32)
        for i in range(high):
            for j in range(wide):
                placed[i * down : i * down + rows, j * across : j * across + columns, :, i, j] = self.weights[0]
        return placed.reshape(*self.window, channels, -1)

    def convolved(self, x: Any, kernel: Weights) -> Any:
        """The convolution over patches or blocks, what follows by channel, and the pooling."""
        offsets = int(np.prod(self.pooling.pool_size))
        height, width, channels = self.output
        config = self.conv.get_config()
        keep = {name: config[name] for name in ("name", "activation", "use_bias")}
        layer = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **keep)
        y = _with_weights(layer, x, [kernel, *(np.tile(bias, offsets) for bias in self.weights[1:])])
        for between in self.between:
            copy = between.__class__.from_config(between.get_config())
            y = _with_weights(copy, y, [np.tile(values, offsets) for values in between.get_weights()])
        name = self.pooling.name
        y = keras.layers.Reshape((height * width, offsets, channels), name=f"{name}_offsets")(y)
        pooling = self.pooling.__class__((1, offsets), (1, offsets), name=name)
        return keras.layers.Reshape((height, width, channels), name=f"{name}_shape")(pooling(y))


def _folded(
    model: keras.Model, convolve: Callable[[_Fold, Any], Any], fits: Callable[[_Fold], bool]
) -> tuple[keras.Model, list[str]]:
    changes: list[str] = []

    def call(readers: Readers, pooling: Any, x: Any) -> Any:
        match = _fold_at(readers, pooling, x)
        if match is None or not fits(match[0]):
            return pooling(x)
        fold, source = match
        if fold.conv.padding == "same":
            source = _padded(source, fold.conv)
        size = span(fold.output[:2], fold.step, fold.window)
        changes.append(f"{fold.conv.name} and {pooling.name}")
        return convolve(fold, cropped(source, size, fold.conv.name))

    return rebuilt(model, call), changes


def _fold_at(readers: Readers, pooling: Any, x: Any) -> tuple[_Fold, Any] | None:
    """A convolution that can be folded with the pooling that reads it, and the convolution's input."""
    output = pooling.compute_output_shape(x.shape)[1:]
    overlaps = tuple(pooling.strides) != tuple(pooling.pool_size)
    if overlaps or not is_channels_last(pooling) or not needs_no_padding(pooling, x.shape[SIDES]):
        return None
    between: list[Any] = []
    layer, source = writer(x)
    while is_by_channel(layer) and readers.is_link(layer.name) and source is not None:
        between.insert(0, layer)
        layer, source = writer(source)
    if not (isinstance(layer, keras.layers.Conv2D) and readers.is_link(layer.name) and _is_foldable(layer)):
        return None
    fold = _Fold(layer, between, pooling, layer.get_weights(), output)
    return (fold, source) if _is_worth_it(fold, source.shape[-1]) else None


def _is_foldable(conv: Any) -> bool:
    return bool(
        is_channels_last(conv)
        and conv.groups == 1
        and set(conv.dilation_rate) == {1}
        and None not in conv.input.shape[1:]
    )


def _is_worth_it(fold: _Fold, channels: int) -> bool:
    """Whether a window has fewer values than the kernel, its channels rounded up as int8 kernels do."""
    return bool(np.prod(fold.window) * channels <= np.prod(fold.conv.kernel_size) * _ALIGNED * -(-channels // _ALIGNED))


def _padded(x: Any, conv: Any) -> Any:
    """An image with the zeros of "same" padding: half of them before, rounded down. Source: TensorFlow, tf.nn."""
    sides = []
    for n, stride, kernel in zip(x.shape[SIDES], conv.strides, conv.kernel_size, strict=True):
        missing = max((-(-n // stride) - 1) * stride + kernel - n, 0)
        sides.append((missing // 2, missing - missing // 2))
    return keras.layers.ZeroPadding2D(tuple(sides), name=f"{conv.name}_padding")(x) if any(map(any, sides)) else x


def _with_weights(layer: Any, x: Any, weights: list[Weights]) -> Any:
    y = layer(x)
    layer.set_weights(weights)
    return y


class _SpaceToDepth(keras.layers.Layer):  # type: ignore[misc]
    """Blocks of pixels as channels: (n, h, w, c) to (n, h / block, w / block, block * block * c)."""

    def __init__(self, block: int, **options: Any) -> None:
        super().__init__(**options)
        self.block = block

    def call(self, x: Any) -> Any:
        """Rearrange."""
        return tf.nn.space_to_depth(x, self.block)

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """Of `call`."""
        n, height, width, channels = shape
        return n, height // self.block, width // self.block, channels * self.block**2
