"""Layers without weights, with scales and zero points at the ends of what TFLite takes, for c_extremes.py."""

import numpy as np
from c_builder import Builder, Draw

_EVERY = (1, 16, 16, 4)  # a shape
_PICTURE = (1, 5, 7, 3)
_OTHERS = ["whole", "mean", "column", "channels", "scalar", "row", "picture"]  # computed, computed ..., constants


def add(draw: Draw) -> bytes:
    """The sum of the input and something else, of distant scales."""
    return _total(draw, "ADD")


def sub(draw: Draw) -> bytes:
    """The difference of the input and something else, in any order."""
    return _total(draw, "SUB")


def _total(draw: Draw, kind: str) -> bytes:
    first, second = draw.scale(-20, 20), draw.scale(-29, 33)
    other = np.float32(first * second)
    to = Builder(_PICTURE, first, draw.zero_point())
    inputs = [0, _other(draw, to, first, other)]
    # TFLite dies of smaller ones.
    output = max(np.float32(first * draw.scale(-12, 12)), np.float32(max(first, other) * np.float32(2.0**-18)))
    to.op(kind, inputs[:: draw.choice([1, -1])], _PICTURE, output, draw.zero_point(), options=f"{kind.title()}Options",
          fusedActivationFunction=draw.choice([0, 1]))  # fmt: skip
    return to.flatbuffer()


def mul(draw: Draw) -> bytes:
    """The product of the input and something else."""
    first, other = draw.scale(-10, 4), draw.scale(-10, 4)
    to = Builder(_PICTURE, first, draw.zero_point())
    inputs = [0, _other(draw, to, first, other)]
    output = np.float32(first * other * draw.scale(-4, 16))
    to.op("MUL", inputs[:: draw.choice([1, -1])], _PICTURE, output, draw.zero_point(), options="MulOptions",
          fusedActivationFunction=draw.choice([0, 1, 3]))  # fmt: skip
    return to.flatbuffer()


def maximum(draw: Draw) -> bytes:
    """The larger or the smaller of the input and something else."""
    scale, zero_point = draw.scale(-10, 4), draw.zero_point()
    to = Builder(_PICTURE, scale, zero_point)
    inputs = [0, _other(draw, to, scale, scale)]
    to.op(draw.choice(["MAXIMUM", "MINIMUM"]), inputs, _PICTURE, scale, zero_point, options="MaximumMinimumOptions")
    return to.flatbuffer()


def _other(draw: Draw, to: Builder, first: np.float32, scale: np.float32) -> int:
    """A second operand of any form, computed from the input or constant; its place."""
    form = draw.choice(_OTHERS)
    constants = {"channels": (3,), "scalar": (), "row": (7, 1), "picture": _PICTURE}
    if form in constants:
        shape = constants[form]
        return to.tensor(shape, [scale], draw.zero_point(), draw.random.integers(-128, 128, shape).astype(np.int8))
    if form == "mean":
        axes = to.tensor((2,), [], 0, np.array([1, 2], np.int32))
        to.op("MEAN", [0, axes], (1, 1, 1, 3), scale, draw.zero_point(), options="ReducerOptions", keepDims=True)
        return to.output
    channels = 3 if form == "whole" else 1
    weights, bias = draw.random.integers(-127, 128, (channels, 1, 1, 3)).astype(np.int8), np.zeros(channels, np.int32)
    scales = np.full(1, np.float32(scale / first / np.float32(100)))
    inputs = [0, to.tensor(weights.shape, scales, 0, weights), to.tensor((channels,), first * scales, 0, bias)]
    common = {"padding": 1, "strideH": 1, "strideW": 1, "fusedActivationFunction": 0}
    to.op("CONV_2D", inputs, (1, 5, 7, channels), scale, draw.zero_point(), options="Conv2DOptions", **common,
          dilationHFactor=1, dilationWFactor=1)  # fmt: skip
    return to.output


def mean(draw: Draw) -> bytes:
    """The mean over height and width."""
    first = draw.scale(-10, 10)
    height, width = draw.choice([(1, 1), (2, 3), (7, 7), (17, 16)])
    channels = draw.choice([5, 11, 16, 37])
    to = Builder((1, height, width, channels), first, draw.zero_point())
    axes = to.tensor((2,), [], 0, np.array([1, 2], np.int32))
    last = np.float32(first * draw.scale(*draw.choice([(-6, 6), (26, 34)])))
    to.op("MEAN", [0, axes], (1, channels), last, draw.zero_point(), options="ReducerOptions", keepDims=False)
    return to.flatbuffer()


def pool(draw: Draw) -> bytes:
    """An average or a maximum pooling."""
    scale, zero_point, kind = draw.scale(-10, 10), draw.zero_point(), draw.choice(["AVERAGE", "AVERAGE", "MAX"])
    channels, step = draw.choice([4, 12, 16, 20, 70]), draw.choice([1, 2])
    window, padding = draw.choice(
        [((2, 2), 0), ((2, 3), 1), ((5, 5), 0), ((15, 17), 1)]
    )  # the last: the most in 16 bits
    height, width = window[0] + 1, window[1] + 2
    to = Builder((1, height, width, channels), scale, zero_point)
    reach = window if padding else (1, 1)
    sides = ((side - part) // step + 1 for side, part in zip((height, width), reach, strict=True))
    to.op(f"{kind}_POOL_2D", [0], (1, *sides, channels), scale, zero_point, options="Pool2DOptions", padding=padding,
          strideH=step, strideW=step, filterHeight=window[0], filterWidth=window[1],
          fusedActivationFunction=draw.choice([0, 1, 3]))  # fmt: skip
    return to.flatbuffer()


def softmax(draw: Draw) -> bytes:
    """Probabilities."""
    to = Builder((1, 11), draw.scale(-12, 6), draw.zero_point())
    beta = float(draw.choice([1.0, 1.0, 0.5, 3.0]))
    return to.op("SOFTMAX", [0], (1, 11), 1 / 256, -128, options="SoftmaxOptions", beta=beta).flatbuffer()


def logistic(draw: Draw) -> bytes:
    """1 / (1 + exp(-x))."""
    return every_int8(draw.scale(-14, 6), draw.zero_point()).op(
        "LOGISTIC", [0], _EVERY, 1 / 256, draw.zero_point()
    ).flatbuffer()  # fmt: skip


def tanh(draw: Draw) -> bytes:
    """The hyperbolic tangent, into the scale that converters take."""
    to = every_int8(draw.scale(-14, 6), draw.zero_point())
    return to.op("TANH", [0], _EVERY, 1 / 128, draw.choice([0, 0, -1, 100])).flatbuffer()


def hard_swish(draw: Draw) -> bytes:
    """A hard swish; TFLite refuses outputs whose scale is below 1/128 of the input's."""
    scale = draw.scale(-14, 6)
    to = every_int8(scale, draw.zero_point())
    return to.op("HARD_SWISH", [0], _EVERY, np.float32(scale * draw.scale(-6, 8)), draw.zero_point()).flatbuffer()


def relu(draw: Draw) -> bytes:
    """An activation by itself."""
    scale, kind = draw.scale(-14, 6), draw.choice(["RELU", "RELU6", "RELU_N1_TO_1"])
    to = every_int8(scale, draw.zero_point())
    return to.op(kind, [0], _EVERY, np.float32(scale * draw.scale(-12, 8)), draw.zero_point()).flatbuffer()


def leaky_relu(draw: Draw) -> bytes:
    """A leaky ReLU."""
    scale = draw.scale(-14, 6)
    options = {"options": "LeakyReluOptions", "alpha": float(draw.choice([0.0, 0.01, 0.1, 0.25, 0.3, 1.0, 1.5]))}
    to = every_int8(scale, draw.zero_point())
    scale = np.float32(scale * draw.scale(-12, 8))
    return to.op("LEAKY_RELU", [0], _EVERY, scale, draw.zero_point(), **options).flatbuffer()


def quantize(draw: Draw) -> bytes:
    """From one scale to another."""
    scale = draw.scale(-14, 6)
    to = every_int8(scale, draw.zero_point())
    return to.op("QUANTIZE", [0], _EVERY, np.float32(scale * draw.scale(-12, 8)), draw.zero_point()).flatbuffer()


def prelu(draw: Draw) -> bytes:
    """A ReLU with slopes of channels, of all, or of one value each."""
    scale, alpha = draw.scale(-10, 4), draw.scale(-10, 4)
    to = Builder(_PICTURE, scale, draw.zero_point())
    shape = draw.choice([(1, 1, 3), (3,), (1, 1, 1), (5, 7, 3)])
    slopes = draw.random.integers(-128, 128, shape).astype(np.int8)
    inputs = [0, to.tensor(shape, [alpha], draw.zero_point(), slopes)]
    return to.op("PRELU", inputs, _PICTURE, np.float32(scale * draw.scale(-8, 8)), draw.zero_point()).flatbuffer()


def concatenation(draw: Draw) -> bytes:
    """The input between two copies of itself, which a maximum pooling makes, along any axis."""
    scale, zero_point, axis = draw.scale(-10, 4), draw.zero_point(), draw.choice([1, 2, 3, -1])
    to = Builder(_PICTURE, scale, zero_point)
    window = {"padding": 0, "strideH": 1, "strideW": 1, "filterHeight": 2, "filterWidth": 2}
    to.op("MAX_POOL_2D", [0], _PICTURE, scale, zero_point, options="Pool2DOptions", **window)
    shape = np.array(_PICTURE) * np.where(np.arange(4) == axis % 4, 3, 1)
    inputs = [to.output, 0, to.output]
    return to.op(
        "CONCATENATION", inputs, tuple(shape.tolist()), scale, zero_point, options="ConcatenationOptions", axis=axis
    ).flatbuffer()  # fmt: skip


def reduce_max(draw: Draw) -> bytes:
    """The maximum over height and width."""
    scale, zero_point = draw.scale(-10, 4), draw.zero_point()
    to = Builder(_PICTURE, scale, zero_point)
    axes = to.tensor((2,), [], 0, np.array([1, 2], np.int32))
    return to.op(
        "REDUCE_MAX", [0, axes], (1, 3), scale, zero_point, options="ReducerOptions", keepDims=False
    ).flatbuffer()


def resize(draw: Draw) -> bytes:
    """A picture of another size, in every way that TFLite knows."""
    scale, zero_point, kind = draw.scale(-10, 4), draw.zero_point(), draw.choice(["BILINEAR", "NEAREST_NEIGHBOR"])
    to = Builder(_PICTURE, scale, zero_point)
    sides = draw.choice([(10, 14), (20, 21), (3, 2), (5, 7), (1, 1), (13, 9)])
    inputs = [0, to.tensor((2,), [], 0, np.array(sides, np.int32))]
    align, half = draw.choice([(False, False), (True, False), (False, True)])
    options = f"Resize{kind.title().replace('_', '')}Options"
    to.op(f"RESIZE_{kind}", inputs, (1, *sides, 3), scale, zero_point, options=options, alignCorners=align,
          halfPixelCenters=half)  # fmt: skip
    return to.flatbuffer()


def depth_to_space(draw: Draw) -> bytes:
    """Channels as pixels."""
    scale, zero_point = draw.scale(-10, 4), draw.zero_point()
    to = Builder((1, 3, 2, 12), scale, zero_point)
    to.op("DEPTH_TO_SPACE", [0], (1, 6, 4, 3), scale, zero_point, options="DepthToSpaceOptions", blockSize=2)
    return to.flatbuffer()


def every_int8(scale: np.float32, zero_point: int) -> Builder:
    """A network over so many values that noise holds nearly every int8."""
    return Builder(_EVERY, scale, zero_point)
