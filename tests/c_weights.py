"""Layers with weights whose sums lie beside the places where TFLite rounds, for c_extremes.py."""

from dataclasses import replace

import numpy as np
from c_builder import ABOVE_ONE, BELOW_ONE, Builder, Draw

_CHANNELS = 35  # two blocks of 16 and some


def multipliers(draw: Draw, count: int, most: int = 3) -> np.ndarray:
    """What sums are multiplied by, one a channel, float32; many are about the smallest that TFLite knows, 2^-32."""
    ranges = [(-36, -2), (-33, -28), (-31, -31), (-20, -8), (-3, -3 if draw.calm else most)]
    return np.array([draw.scale(*draw.choice(ranges)) for _ in range(count)], np.float32)


def _filled(draw: Draw, scales: np.ndarray, real: np.ndarray, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (channels, *shape) and biases."""
    weights = np.stack([draw.weights(*shape) for _ in scales])
    return weights, np.array([draw.bias(float(multiplier)) for multiplier in real], np.int32)


def _ends(draw: Draw) -> tuple[np.float32, np.float32]:
    """Scales of an input and an output, whose quotient moves a multiplier by a few of its last bits."""
    near = [BELOW_ONE, np.float32(1), np.float32(1), np.float32(1), ABOVE_ONE]
    return draw.choice(near), draw.choice(near)


def conv(draw: Draw) -> bytes:
    """A convolution, often with a maximum pooling behind it; one scale for all weights now and then."""
    channels, kernel = draw.choice([1, 3, 8]), draw.choice([1, 2, 3])
    first, last = _ends(draw)
    zero_point, real = draw.zero_point(), multipliers(draw, _CHANNELS)
    if draw.random.random() < 0.2:
        real[:] = real[0]
    weights, bias = _filled(draw, real, real, kernel, kernel, channels)
    scales = real[:1] if (real == real[0]).all() else real
    sides = (6 - kernel + 1, 7 - kernel + 1)
    to = Builder((1, 6, 7, channels), first, draw.zero_point())
    inputs = [0, to.tensor(weights.shape, scales, 0, weights), to.tensor(bias.shape, first * scales, 0, bias)]
    activation = draw.choice([0, 0, 1, 3])
    common = {"padding": 1, "strideH": 1, "strideW": 1, "fusedActivationFunction": activation}
    to.op("CONV_2D", inputs, (1, *sides, _CHANNELS), last, zero_point, options="Conv2DOptions", **common,
          dilationHFactor=1, dilationWFactor=1)  # fmt: skip
    if draw.calm and draw.random.random() < 0.7:
        common |= {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2, "fusedActivationFunction": 0}
        pooled = (1, sides[0] // 2, sides[1] // 2, _CHANNELS)
        to.op("MAX_POOL_2D", [to.output], pooled, last, zero_point, options="Pool2DOptions", **common)
    return to.flatbuffer()


def depthwise(draw: Draw) -> bytes:
    """A depthwise convolution; kernels for a CPU's own instructions take so many channels, or do not."""
    first, last = _ends(draw)
    channels, kernel, padding = draw.choice([35, 36, 24]), draw.choice([(2, 3), (3, 3), (3, 5)]), draw.choice([0, 1])
    real = multipliers(draw, channels)
    weights, bias = _filled(draw, real, real, *kernel)
    weights = np.ascontiguousarray(weights.transpose(1, 2, 0))[np.newaxis]
    sides = (4 - kernel[0] + 1, 5 - kernel[1] + 1) if padding else (4, 5)
    to = Builder((1, 4, 5, channels), first, draw.zero_point())
    inputs = [0, to.tensor(weights.shape, real, 0, weights, 3), to.tensor(bias.shape, first * real, 0, bias)]
    zero_point = draw.zero_point()
    to.op("DEPTHWISE_CONV_2D", inputs, (1, *sides, channels), last, zero_point, padding=padding, strideH=1, strideW=1,
          options="DepthwiseConv2DOptions", dilationHFactor=1, dilationWFactor=1, depthMultiplier=1,
          fusedActivationFunction=draw.choice([0, 1, 3]))  # fmt: skip
    return to.flatbuffer()


def dense(draw: Draw) -> bytes:
    """A dense layer, every other time with one scale for all weights; TFLite multiplies by a double here.

    For one with thousands of inputs there is no multiplier of 31 bits that rounds alike.
    """
    first, last = _ends(draw)
    inputs, outputs = draw.choice([(37, _CHANNELS), (37, _CHANNELS), (4000, 3)])
    real = multipliers(draw, outputs, -2) if inputs < 100 else draw.random.uniform(2e-6, 4e-6, 3).astype(np.float32)
    if draw.random.random() < 0.5:
        real[:] = real[0]
    weights, bias = _filled(draw, real, real, inputs)
    scales = real[:1] if (real == real[0]).all() else real
    to = Builder((1, inputs), first, draw.zero_point())
    inputs = [0, to.tensor(weights.shape, scales, 0, weights), to.tensor(bias.shape, first * scales, 0, bias)]
    to.op("FULLY_CONNECTED", inputs, (1, outputs), last, draw.zero_point(), options="FullyConnectedOptions",
          fusedActivationFunction=draw.choice([0, 1, 3]))  # fmt: skip
    return to.flatbuffer()


def conv_of_4_bits(draw: Draw) -> bytes:
    """Weights that C packs two in a byte."""
    return conv(replace(draw, four_bits=True))


def dense_of_4_bits(draw: Draw) -> bytes:
    """The same of a dense layer."""
    return dense(replace(draw, four_bits=True))


def dilated(draw: Draw) -> bytes:
    """A convolution with holes, of groups now and then, or a depthwise one."""
    kind = draw.choice(["CONV_2D", "CONV_2D", "DEPTHWISE_CONV_2D"])
    groups, outputs = draw.choice([(1, 20), (2, 20), (4, 36), (12, 24)])
    down, across = draw.choice([(2, 2), (1, 3), (2, 1), (1, 1)])
    padding, sides = draw.choice([(1, (9 - 2 * down, 11 - 2 * across)), (0, (9, 11))])
    outputs = 24 if kind == "DEPTHWISE_CONV_2D" else outputs
    first, output = _ends(draw)
    real = multipliers(draw, outputs)
    weights, bias = _filled(draw, real, real, 3, 3, 12 // groups)
    if kind == "DEPTHWISE_CONV_2D":
        weights = np.ascontiguousarray(weights[..., 0].transpose(1, 2, 0))[np.newaxis]
    to = Builder((1, 9, 11, 12), first, draw.zero_point())
    axis = 3 if kind == "DEPTHWISE_CONV_2D" else 0
    inputs = [0, to.tensor(weights.shape, real, 0, weights, axis), to.tensor(bias.shape, first * real, 0, bias)]
    common = {"padding": padding, "strideH": 1, "strideW": 1, "fusedActivationFunction": draw.choice([0, 1, 2, 3])}
    options = "Conv2DOptions"
    if kind == "DEPTHWISE_CONV_2D":
        options, common = "DepthwiseConv2DOptions", common | {"depthMultiplier": 2}
    to.op(kind, inputs, (1, *sides, outputs), output, draw.zero_point(), options=options, **common,
          dilationHFactor=down, dilationWFactor=across)  # fmt: skip
    return to.flatbuffer()


def depth_multiplier(draw: Draw) -> bytes:
    """A depthwise convolution of several outputs a channel, which is one of all channels if there is one."""
    channels, times = draw.choice([(1, 8), (3, 7), (4, 3), (8, 2), (12, 2), (16, 4)])
    (kernel, step), padding = draw.choice([((3, 3), 1), ((3, 3), 2), ((5, 2), 2), ((1, 4), 1)]), draw.choice([0, 1])
    first, output = _ends(draw)
    real = multipliers(draw, channels * times)
    weights, bias = _filled(draw, real, real, *kernel)
    weights = np.ascontiguousarray(weights.transpose(1, 2, 0))[np.newaxis]
    reach = kernel if padding else (1, 1)
    sides = ((side - part) // step + 1 for side, part in zip((9, 11), reach, strict=True))
    to = Builder((1, 9, 11, channels), first, draw.zero_point())
    inputs = [0, to.tensor(weights.shape, real, 0, weights, 3), to.tensor(bias.shape, first * real, 0, bias)]
    to.op("DEPTHWISE_CONV_2D", inputs, (1, *sides, len(real)), output, draw.zero_point(), padding=padding, strideH=step,
          strideW=step, options="DepthwiseConv2DOptions", dilationHFactor=1, dilationWFactor=1, depthMultiplier=times,
          fusedActivationFunction=draw.choice([0, 1, 3]))  # fmt: skip
    return to.flatbuffer()


def transpose_conv(draw: Draw) -> bytes:
    """A transposed convolution."""
    kernel, stride = draw.choice([1, 2, 3, 4]), draw.choice([(1, 1), (2, 2), (2, 1), (3, 3)])
    padding = draw.choice([0, 1])
    sides = [
        side * step if padding == 0 else (side - 1) * step + kernel for side, step in zip((4, 5), stride, strict=True)
    ]
    if padding == 0 and draw.random.random() < 0.3:
        sides = [side - (step > 1) for side, step in zip(sides, stride, strict=True)]
    first, output = _ends(draw)
    real = multipliers(draw, _CHANNELS)
    weights, bias = _filled(draw, real, real, kernel, kernel, 3)
    to = Builder((1, 4, 5, 3), first, draw.zero_point())
    shape = to.tensor((4,), [], 0, np.array([1, *sides, _CHANNELS], np.int32))
    inputs = [shape, to.tensor(weights.shape, real, 0, weights), 0]
    inputs += [to.tensor(bias.shape, first * real, 0, bias)] if draw.random.random() < 0.7 else []
    to.op("TRANSPOSE_CONV", inputs, (1, *sides, _CHANNELS), output, draw.zero_point(), options="TransposeConvOptions",
          padding=padding, strideH=stride[0], strideW=stride[1])  # fmt: skip
    return to.flatbuffer()
