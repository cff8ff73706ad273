"""What each kind of layer does with channels. To prune one more kind, write its row in `RULES`.

A rule says which channels a layer writes, how its configuration changes with their number, and how its weights are cut.
Operations of `keras.ops` have rows too, by the names of their classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from train.shrink.tying import Numbers, Tying

Arrays = list[npt.NDArray[Any]]
Kept = npt.NDArray[np.bool_]  # of a tensor's channels


@dataclass(frozen=True)
class Kernel:
    """Weights of a layer that are multiplied with its input."""

    size: int  # weights
    window: int  # of them for a pair of channels, or for a channel
    is_mixing: bool  # every output channel reads all input channels
    is_last: bool = True  # it writes the layer's output
    copies: int = 1  # of each of the layer's input channels that it reads
    multiplier: int = 1  # channels that it writes for one that it reads, if it is not the last


@dataclass(frozen=True)
class Rule:
    """What a kind of layer does with channels."""

    channels: Callable[[Tying, Any, Sequence[Numbers], Sequence[Any], Any], Numbers]
    config: Callable[[Any, int], dict[str, Any]] = lambda layer, count: {}
    weights: Callable[[Any, Arrays, Kept, Kept], Arrays] = lambda layer, arrays, read, written: arrays
    kernels: Callable[[Any], list[Kernel]] = lambda layer: []


def _new(tying: Tying, layer: Any, numbers: Sequence[Numbers], inputs: Sequence[Any], output: Any) -> Numbers:
    if getattr(layer, "groups", 1) != 1:
        raise EdgecnnError(f"the layer {layer.name!r} (Conv2D in {layer.groups} groups) cannot be pruned")
    if numbers:
        first = tying.inputs.setdefault(layer.name, numbers[0])
        tying.tie(first, numbers[0])
    return tying.new(layer.name, output.shape[-1])


def _same(tying: Tying, layer: Any, numbers: Sequence[Numbers], inputs: Sequence[Any], output: Any) -> Numbers:
    return numbers[0]


def _tied(tying: Tying, layer: Any, numbers: Sequence[Numbers], inputs: Sequence[Any], output: Any) -> Numbers:
    for other in numbers[1:]:
        tying.tie(numbers[0], other)
    return max(numbers, key=len)


def _joined(tying: Tying, layer: Any, numbers: Sequence[Numbers], inputs: Sequence[Any], output: Any) -> Numbers:
    if layer.axis not in (-1, len(output.shape) - 1):
        return _tied(tying, layer, numbers, inputs, output)
    return np.concatenate(numbers)


def _copied(tying: Tying, layer: Any, numbers: Sequence[Numbers], inputs: Sequence[Any], output: Any) -> Numbers:
    return np.repeat(numbers[0], layer.depth_multiplier)


def _reshaped(tying: Tying, layer: Any, numbers: Sequence[Numbers], inputs: Sequence[Any], output: Any) -> Numbers:
    """Channels that stay the last axis, or all values in one row."""
    before, after = inputs[0].shape[1:], output.shape[1:]
    if before[-1] == after[-1]:
        return numbers[0]
    if len(after) == 1:
        return np.tile(numbers[0], prod(before[:-1]))
    raise EdgecnnError(f"the layer {layer.name!r} (Reshape) cannot be pruned: it moves channels to other axes")


def _by_last_axis(layer: Any, arrays: Arrays, read: Kept, written: Kept) -> Arrays:
    """Weights of a channel each."""
    return [array[..., written] if array.ndim and array.shape[-1] == len(written) else array for array in arrays]


def _of_kernel(layer: Any, arrays: Arrays, read: Kept, written: Kept) -> Arrays:
    kernel, *bias = arrays
    return [kernel[..., read, :][..., written], *(array[written] for array in bias)]


def _of_depthwise(layer: Any, arrays: Arrays, read: Kept, written: Kept) -> Arrays:
    kernel, *bias = arrays
    return [kernel[..., read, :], *(array[written] for array in bias)]


def _of_separable(layer: Any, arrays: Arrays, read: Kept, written: Kept) -> Arrays:
    depthwise, pointwise, *bias = arrays
    between = np.repeat(read, layer.depth_multiplier)
    return [depthwise[..., read, :], pointwise[..., between, :][..., written], *(array[written] for array in bias)]


def _mixing(layer: Any) -> list[Kernel]:
    shape = layer.kernel.shape
    return [Kernel(prod(shape), prod(shape[:-2]), is_mixing=True)]


def _filtering(layer: Any) -> list[Kernel]:
    return [Kernel(prod(layer.kernel.shape), prod(layer.kernel.shape[:-2]), is_mixing=False)]


def _both(layer: Any) -> list[Kernel]:
    depthwise, pointwise = layer.depthwise_kernel.shape, layer.pointwise_kernel.shape
    times = layer.depth_multiplier
    first = Kernel(prod(depthwise), prod(depthwise[:-2]), is_mixing=False, is_last=False, multiplier=times)
    return [first, Kernel(prod(pointwise), 1, is_mixing=True, copies=times)]


def _filters(layer: Any, count: int) -> dict[str, Any]:
    return {"filters": count}


def _units(layer: Any, count: int) -> dict[str, Any]:
    return {"units": count}


def _target(layer: Any, count: int) -> dict[str, Any]:
    *sides, last = layer.target_shape
    return {"target_shape": (*sides, last if last == -1 else count)}


_CONVOLUTION = Rule(_new, _filters, _of_kernel, _mixing)
_DEPTHWISE = Rule(_copied, weights=_of_depthwise, kernels=_filtering)
_BY_CHANNEL = Rule(_same, weights=_by_last_axis)
_SUM = Rule(_tied)
_HANDED_ON = (
    "Activation", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
    "AlphaDropout", "ReLU", "LeakyReLU", "ELU", "Softmax", "Rescaling", "Identity", "MaxPooling1D", "MaxPooling2D",
    "AveragePooling1D", "AveragePooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
    "GlobalMaxPooling2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling2D", "RandomFlip",
    "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness", "Relu", "Relu6",
    "Silu", "Gelu", "HardSigmoid", "HardSilu", "Sigmoid", "Tanh",
)  # fmt: skip

RULES: dict[str, Rule] = {
    "InputLayer": Rule(_new),
    "Conv1D": _CONVOLUTION,
    "Conv2D": _CONVOLUTION,
    "Dense": Rule(_new, _units, _of_kernel, _mixing),
    "DepthwiseConv1D": _DEPTHWISE,
    "DepthwiseConv2D": _DEPTHWISE,
    "SeparableConv2D": Rule(_new, _filters, _of_separable, _both),
    "BatchNormalization": _BY_CHANNEL,
    "Normalization": _BY_CHANNEL,
    "PReLU": _BY_CHANNEL,
    "Flatten": Rule(_reshaped),
    "Reshape": Rule(_reshaped, _target),
    "Concatenate": Rule(_joined),
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average"), _SUM),
    **dict.fromkeys(_HANDED_ON, Rule(_same)),
}
