"""Exact rewrites of a Keras model: other layers, the same outputs, less work for the engines' kernels.

crop     what pooling throws away is not computed: the input of the layers before it is cropped
patches  a convolution with few input channels and the pooling behind it become one convolution over patches ...
blocks   ... or over blocks of pixels, by space-to-depth

They are found by pattern, wherever a convolution leads to a pooling through layers that nobody else reads.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

_ALIGNED = 4  # input channels that int8 kernels round up to
_SIDES = slice(1, 3)  # height and width in (batch, height, width, channels)

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)
_POOLINGS = (keras.layers.MaxPooling2D, keras.layers.AveragePooling2D)
_BY_CHANNEL = (  # one value in, one out, by a rule that is the channel's own
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
)
Size = tuple[int, int]
Weights = npt.NDArray[np.float32]


def crop(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Leave out what pooling throws away.

    A pooling with window p and stride s over n rows reads (o - 1) s + p of them, o = floor((n - p) / s) + 1: the rest
    is computed in vain. A convolution without padding (kernel k, dilation d, stride s) gives r rows from
    (r - 1) s + (k - 1) d + 1. Followed backwards through such layers this is how much of an earlier tensor is read, and
    what goes beyond is cropped there. No value that is read changes.

    Returns:
        The model, and what was done, in words.
    """
    done: list[str] = []

    def call(graph: _Graph, layer: Any, x: Any) -> Any:
        dead = _dead_region(graph, layer, x)
        if dead is None:
            return layer(x)
        source, size, chain = dead
        y = _cropped(source, size, layer.name)
        for each in chain:
            y = each(y)
        done.append(f"{layer.name} reads {_by(size)} of {_by(source.shape[_SIDES])}")
        return layer(y)

    return _replayed(model, call), done


def patches(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Fold a convolution and the pooling behind it into one convolution over patches.

    With kernel k, stride s and a pooling by p, the p*p values of which one pooled value is made read a patch of
    k + (p - 1) s rows. An identity convolution with stride p s lays each patch out as channels; a 1x1 convolution, its
    kernel the original's at p*p offsets, gives all p*p values of a position side by side; pooling runs over these. Each
    sum has the terms it had, and zeros.

    Returns:
        The model, and what was done, in words.
    """

    def fold(found: _Fold, x: Any) -> Any:
        height, width = found.window
        channels = x.shape[-1]
        eye = np.eye(height * width * channels, dtype=np.float32).reshape(height, width, channels, -1)
        lay = keras.layers.Conv2D(
            eye.shape[-1], found.window, found.step, use_bias=False, name=f"{found.conv.name}_patches"
        )
        y = _with_weights(lay, x, [eye])
        return found.convolved(y, found.kernel().reshape(1, 1, height * width * channels, -1))

    return _folded(model, fold, lambda found: True)


def blocks(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Fold a convolution and the pooling behind it into one convolution over blocks of pixels.

    As `patches`, but space-to-depth lays blocks of p s x p s pixels out as channels, and the convolution reads
    (k + (p - 1) s) / (p s) of them a side; it applies where that is a whole number.

    Returns:
        The model, and what was done, in words.
    """

    def fold(found: _Fold, x: Any) -> Any:
        (height, width), (down, across), channels = found.window, found.step, x.shape[-1]
        kernel = found.kernel().reshape(height // down, down, width // across, across, channels, -1)
        kernel = kernel.transpose(0, 2, 1, 3, 4, 5).reshape(
            height // down, width // across, down * across * channels, -1
        )
        y = _SpaceToDepth(down, name=f"{found.conv.name}_blocks")(x)
        return found.convolved(y, kernel)

    def fits(found: _Fold) -> bool:
        (height, width), (down, across) = found.window, found.step
        return down == across and height % down == 0 and width % across == 0

    return _folded(model, fold, fits)


REWRITES: dict[str, Callable[[keras.Model], tuple[keras.Model, list[str]]]] = {
    "crop": crop,
    "patches": patches,
    "blocks": blocks,
}


def rewritten(model: keras.Model, names: Sequence[str]) -> tuple[keras.Model | None, list[str]]:
    """A model after several rewrites of `REWRITES`, and what was done, in words; None where one does not apply."""
    done: list[str] = []
    for name in names:
        model, words = REWRITES[name](model)
        if not words:
            return None, []
        done += [f"{name}: {each}" for each in words]
    return model, done


class _Graph:
    """Who reads what in a model, by the layers' names."""

    def __init__(self, model: keras.Model) -> None:
        nodes = [node for depth in model._nodes_by_depth.values() for node in depth]
        read = [tensor for node in nodes for tensor in node.input_tensors] + list(model.outputs)
        self._readers = Counter(tensor._keras_history.operation.name for tensor in read)
        self._calls = Counter(node.operation.name for node in nodes)

    def is_link(self, name: str) -> bool:
        """Whether a layer is called once, and what it gives read once."""
        return self._readers[name] == 1 and self._calls[name] == 1


def _replayed(model: keras.Model, call: Callable[[_Graph, Any, Any], Any]) -> keras.Model:
    """The model again, with new layers and the same weights; `call` calls each layer, or puts another in its place."""
    functional = keras.Model(model.inputs, model.outputs) if isinstance(model, keras.Sequential) else model
    if not any(isinstance(layer, _POOLINGS) for layer in functional.layers):
        return model
    graph = _Graph(functional)

    def placed(layer: Any, *args: Any, **kwargs: Any) -> Any:
        x = args[0] if len(args) == 1 and not kwargs and not isinstance(args[0], list) else None
        if x is not None and isinstance(layer, _POOLINGS):
            return call(graph, layer, x)
        given = layer(*args, **kwargs)
        if isinstance(layer, keras.layers.Layer) and layer.weights:
            layer.set_weights(functional.get_layer(layer.name).get_weights())
        return given

    made = keras.models.clone_model(functional, call_function=placed)
    made.name = model.name  # Keras would number it by what the process did before
    return made


def _before(x: Any) -> tuple[Any, Any]:
    """The layer that gave a tensor, and what that layer read."""
    layer, place = x._keras_history.operation, x._keras_history.node_index
    read = layer._inbound_nodes[place].input_tensors
    return layer, read[0] if len(read) == 1 else None


def _dead_region(graph: _Graph, pooling: Any, x: Any) -> tuple[Any, Size, list[Any]] | None:
    """The earliest tensor of which a pooling does not read all, how much it reads, and the layers between."""
    size = _read(pooling, pooling.compute_output_shape(x.shape)[_SIDES], x.shape[_SIDES])
    if size is None or size == x.shape[_SIDES]:
        return None
    chain: list[Any] = []
    while True:
        layer, source = _before(x)
        if source is None or not (graph.is_link(layer.name) or _is_crop(layer)):
            break
        if _is_crop(layer):  # of a pooling further down
            x = source
            continue
        read = _read(layer, size, source.shape[_SIDES])
        if read is None:
            break
        chain.insert(0, layer)
        x, size = source, read
    return (x, size, chain) if any(isinstance(each, _CONVOLUTIONS) for each in chain) else None


def _read(layer: Any, given: Size, size: Size) -> Size | None:
    """How much of its input, of `size`, a layer reads for so much of its output; None where that cannot be told."""
    if isinstance(layer, _BY_CHANNEL) and _is_last_axis(layer):
        return given
    if isinstance(layer, _POOLINGS) and _is_channels_last(layer) and _covers(layer, size):
        return _span(given, layer.strides, layer.pool_size)
    if isinstance(layer, _CONVOLUTIONS) and _is_channels_last(layer) and layer.padding == "valid":
        reach = [
            (kernel - 1) * dilation + 1 for kernel, dilation in zip(layer.kernel_size, layer.dilation_rate, strict=True)
        ]
        return _span(given, layer.strides, reach)
    return None


def _span(given: Size, strides: Sequence[int], reach: Sequence[int]) -> Size:
    height, width = ((n - 1) * stride + far for n, stride, far in zip(given, strides, reach, strict=True))
    return height, width


def _is_channels_last(layer: Any) -> bool:
    return bool(layer.data_format == "channels_last")


def _covers(pooling: Any, size: Size) -> bool:
    """Whether a pooling of such an input needs no padding."""
    even = all(n % stride == 0 for n, stride in zip(size, pooling.strides, strict=True))
    return pooling.padding == "valid" or (even and tuple(pooling.strides) == tuple(pooling.pool_size))


def _is_last_axis(layer: Any) -> bool:
    return not isinstance(layer, keras.layers.BatchNormalization) or layer.axis in (-1, 3)


_CROP = "_crop"


def _cropped(x: Any, size: Size, name: str) -> Any:
    """The top left corner of an image."""
    height, width = (n - m for n, m in zip(x.shape[_SIDES], size, strict=True))
    layer = keras.layers.Cropping2D(((0, height), (0, width)), name=f"{name}{_CROP}")
    return layer(x) if height or width else x


def _is_crop(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Cropping2D) and layer.name.endswith(_CROP)


@dataclass(frozen=True)
class _Fold:
    """A convolution, layers by channel, and a pooling without overlap, which become one convolution."""

    conv: Any
    between: list[Any]
    pooling: Any
    weights: list[Weights]  # of the convolution
    given: tuple[int, int, int]  # height, width and channels after the pooling

    @property
    def step(self) -> Size:
        """Rows and columns of the input from one pooled value to the next."""
        down, across = (p * s for p, s in zip(self.pooling.pool_size, self.conv.strides, strict=True))
        return down, across

    @property
    def window(self) -> Size:
        """Rows and columns of the input that one pooled value is made of."""
        return _span(self.pooling.pool_size, self.conv.strides, self.conv.kernel_size)

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
        height, width, channels = self.given
        config = self.conv.get_config()
        keep = {name: config[name] for name in ("name", "activation", "use_bias")}
        layer = keras.layers.Conv2D(kernel.shape[-1], kernel.shape[:2], **keep)
        y = _with_weights(layer, x, [kernel, *(np.tile(bias, offsets) for bias in self.weights[1:])])
        for each in self.between:
            again = each.__class__.from_config(each.get_config())
            y = _with_weights(again, y, [np.tile(values, offsets) for values in each.get_weights()])
        name = self.pooling.name
        y = keras.layers.Reshape((height * width, offsets, channels), name=f"{name}_offsets")(y)
        again = self.pooling.__class__((1, offsets), (1, offsets), name=self.pooling.name)
        return keras.layers.Reshape((height, width, channels), name=f"{name}_shape")(again(y))


def _folded(
    model: keras.Model, fold: Callable[[_Fold, Any], Any], fits: Callable[[_Fold], bool]
) -> tuple[keras.Model, list[str]]:
    done: list[str] = []

    def call(graph: _Graph, pooling: Any, x: Any) -> Any:
        found = _fold_at(graph, pooling, x)
        if found is None or not fits(found[0]):
            return pooling(x)
        one, source = found
        if one.conv.padding == "same":
            source = _padded(source, one.conv)
        read = _span(one.given[:2], one.step, one.window)
        done.append(f"{one.conv.name} and {pooling.name}")
        return fold(one, _cropped(source, read, one.conv.name))

    return _replayed(model, call), done


def _fold_at(graph: _Graph, pooling: Any, x: Any) -> tuple[_Fold, Any] | None:
    """A convolution that can be folded with the pooling that reads it, and what it reads."""
    given = pooling.compute_output_shape(x.shape)[1:]
    apart = tuple(pooling.strides) == tuple(pooling.pool_size)
    if not (apart and _is_channels_last(pooling) and _covers(pooling, x.shape[_SIDES])):
        return None
    between: list[Any] = []
    layer, source = _before(x)
    while isinstance(layer, _BY_CHANNEL) and _is_last_axis(layer) and graph.is_link(layer.name) and source is not None:
        between.insert(0, layer)
        layer, source = _before(source)
    if not (isinstance(layer, keras.layers.Conv2D) and graph.is_link(layer.name) and _is_foldable(layer)):
        return None
    found = _Fold(layer, between, pooling, layer.get_weights(), given)
    return (found, source) if _is_worth_it(found, source.shape[-1]) else None


def _is_foldable(conv: Any) -> bool:
    return bool(
        _is_channels_last(conv)
        and conv.groups == 1
        and set(conv.dilation_rate) == {1}
        and None not in conv.input.shape[1:]
    )


def _is_worth_it(found: _Fold, channels: int) -> bool:
    """Whether a window has fewer values than the kernel, its channels rounded up as int8 kernels do."""
    return bool(
        np.prod(found.window) * channels <= np.prod(found.conv.kernel_size) * _ALIGNED * -(-channels // _ALIGNED)
    )


def _padded(x: Any, conv: Any) -> Any:
    """What "same" padding would add: of what is missing, half before, rounded down. Source: TensorFlow, tf.nn."""
    sides = []
    for n, stride, kernel in zip(x.shape[_SIDES], conv.strides, conv.kernel_size, strict=True):
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


def _by(size: Any) -> str:
    return "x".join(map(str, size))
