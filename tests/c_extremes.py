"""Int8 networks of one layer each, written as flatbuffers without a converter.

Their scales, zero points and shifts are at the ends of what TFLite takes, their sums beside the places where it rounds.
A converter makes few of these; files of other tools and nearly dead channels hold them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_CHANNELS = 35  # two blocks of 16 and some
_BELOW_ONE, _ABOVE_ONE = np.float32(1 - 2**-24), np.float32(1 + 2**-23)
_LARGEST = 2**31 - 1
_EVERY = (1, 16, 16, 4)  # a shape
_BUILTIN = schema.BuiltinOperator
# Of operators whose int8 is not of version 2.
_VERSIONS = dict.fromkeys((_BUILTIN.HARD_SWISH, _BUILTIN.PRELU, _BUILTIN.RELU_N1_TO_1, _BUILTIN.DEPTH_TO_SPACE), 1)


@dataclass
class Draw:
    """Random values, extreme ones more often than chance would have them."""

    random: np.random.Generator
    calm: bool = False  # only what the kernels for a CPU's own instructions take

    def choice(self, values: Any) -> Any:
        """One of them."""
        return values[self.random.integers(len(values))]

    def zero_point(self) -> int:
        """Of an activation."""
        return int(self.choice([-128, -127, -1, 0, 1, 126, 127, self.random.integers(-128, 128)]))

    def scale(self, least: int, most: int) -> np.float32:
        """A power of two, its neighbours, or anything between two powers."""
        fraction = self.choice([np.float32(1), _BELOW_ONE, _ABOVE_ONE, np.float32(self.random.uniform(1, 2))])
        return np.float32(fraction * np.float32(2.0 ** self.random.integers(least, most + 1)))

    def weights(self, *shape: int) -> np.ndarray:
        """Of a channel: of all sizes, or few and small, so that sums move in small steps."""
        least, most = self.choice([(-127 if self.calm else -128, 128), (-127, 128), (-1, 2), (0, 2), (0, 1)])
        return self.random.integers(least, most, shape).astype(np.int8)

    def bias(self, multiplier: float) -> int:
        """Beside a place where the output rounds, or anywhere in 32 bits."""
        step = self.random.integers(-140, 140) + self.choice([0.0, 0.5])
        beside = step / multiplier + self.choice([0, 0, 0, -1, 1])
        anywhere = self.choice([0, _LARGEST, -_LARGEST, self.random.integers(-(2**31), 2**31)])
        end = 2**29 if self.calm else _LARGEST
        return int(np.clip(self.choice([beside, beside, beside, anywhere]), -end, end))


class Builder:
    """A flatbuffer of one input, layers behind one another, and one output."""

    def __init__(self, shape: tuple[int, ...], scale: float, zero_point: int) -> None:
        self.tensors: list[Any] = []
        self.buffers = [schema.BufferT()]
        self.ops: list[Any] = []
        self.codes: list[int] = []
        self.output = self.tensor(shape, [scale], zero_point)

    def tensor(self, shape: tuple[int, ...], scales: Any, zero_point: int = 0, data: Any = None, axis: int = 0) -> int:
        """Add a tensor, int8 unless its data is int32; its place."""
        made, quantization = schema.TensorT(), schema.QuantizationParametersT()
        made.name, made.shape = f"t{len(self.tensors)}".encode(), np.array(shape, np.int32)
        made.type = schema.TensorType.INT8
        if data is not None:
            stored = schema.BufferT()
            stored.data = np.frombuffer(data.tobytes(), np.uint8)
            made.buffer = len(self.buffers)
            self.buffers.append(stored)
            made.type = schema.TensorType.INT32 if data.dtype == np.int32 else schema.TensorType.INT8
        if len(scales):
            quantization.scale = np.array(scales, np.float32)
            quantization.zeroPoint = np.full(len(scales), zero_point, np.int64)
            quantization.quantizedDimension = axis
            made.quantization = quantization
        self.tensors.append(made)
        return len(self.tensors) - 1

    def op(self, kind: str, inputs: list[int], shape: tuple[int, ...], scale: float, zero_point: int, **options: Any):
        """Add an operator behind the others; its options are named after it, as the schema has them."""
        operator = schema.OperatorT()
        code = getattr(_BUILTIN, kind)
        if code not in self.codes:
            self.codes.append(code)
        self.output = self.tensor(shape, [scale], zero_point)
        operator.opcodeIndex = self.codes.index(code)
        operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([self.output], np.int32)
        if name := options.pop("options", None):
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = getattr(schema, f"{name}T")()
        for option, value in options.items():
            setattr(operator.builtinOptions, option, value)
        self.ops.append(operator)
        return self

    def flatbuffer(self) -> bytes:
        """The file."""
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self.tensors, self.ops
        graph.inputs, graph.outputs = np.array([0], np.int32), np.array([self.output], np.int32)
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], self.buffers, []
        for code in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode, entry.version = code, code, _VERSIONS.get(code, 2)
            model.operatorCodes.append(entry)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def multipliers(draw: Draw, count: int, most: int = 3) -> np.ndarray:
    """What sums are multiplied by, one a channel, float32; many are about the smallest that TFLite knows, 2^-32."""
    ranges = [(-36, -2), (-33, -28), (-31, -31), (-20, -8), (-3, -3 if draw.calm else most)]
    return np.array([draw.scale(*draw.choice(ranges)) for _ in range(count)], np.float32)


def _filled(draw: Draw, scales: np.ndarray, real: np.ndarray, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (channels, *shape) and biases."""
    weights = np.stack([draw.weights(*shape) for _ in scales])
    return weights, np.array([draw.bias(float(each)) for each in real], np.int32)


def _ends(draw: Draw) -> tuple[np.float32, np.float32]:
    """Scales of an input and an output, whose quotient moves a multiplier by a few of its last bits."""
    near = [_BELOW_ONE, np.float32(1), np.float32(1), np.float32(1), _ABOVE_ONE]
    return draw.choice(near), draw.choice(near)


def conv(draw: Draw) -> bytes:
    """A convolution, often with a maximum pooling behind it; one scale for all weights now and then."""
    channels, kernel = draw.choice([1, 3, 8]), draw.choice([1, 2, 3])
    taken, given = _ends(draw)
    zero_point, real = draw.zero_point(), multipliers(draw, _CHANNELS)
    if draw.random.random() < 0.2:
        real[:] = real[0]
    weights, bias = _filled(draw, real, real, kernel, kernel, channels)
    scales = real[:1] if (real == real[0]).all() else real
    sides = (6 - kernel + 1, 7 - kernel + 1)
    to = Builder((1, 6, 7, channels), taken, draw.zero_point())
    inputs = [0, to.tensor(weights.shape, scales, 0, weights), to.tensor(bias.shape, taken * scales, 0, bias)]
    activation = draw.choice([0, 0, 1, 3])
    common = {"padding": 1, "strideH": 1, "strideW": 1, "fusedActivationFunction": activation}
    to.op("CONV_2D", inputs, (1, *sides, _CHANNELS), given, zero_point, options="Conv2DOptions", **common,
          dilationHFactor=1, dilationWFactor=1)  # fmt: skip
    if draw.calm and draw.random.random() < 0.7:
        common |= {"strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2, "fusedActivationFunction": 0}
        pooled = (1, sides[0] // 2, sides[1] // 2, _CHANNELS)
        to.op("MAX_POOL_2D", [to.output], pooled, given, zero_point, options="Pool2DOptions", **common)
    return to.flatbuffer()


def depthwise(draw: Draw) -> bytes:
    """A depthwise convolution; kernels for a CPU's own instructions take so many channels, or do not."""
    taken, given = _ends(draw)
    channels, kernel, padding = draw.choice([35, 36, 24]), draw.choice([(2, 3), (3, 3), (3, 5)]), draw.choice([0, 1])
    real = multipliers(draw, channels)
    weights, bias = _filled(draw, real, real, *kernel)
    weights = np.ascontiguousarray(weights.transpose(1, 2, 0))[np.newaxis]
    sides = (4 - kernel[0] + 1, 5 - kernel[1] + 1) if padding else (4, 5)
    to = Builder((1, 4, 5, channels), taken, draw.zero_point())
    inputs = [0, to.tensor(weights.shape, real, 0, weights, 3), to.tensor(bias.shape, taken * real, 0, bias)]
    zero_point = draw.zero_point()
    to.op("DEPTHWISE_CONV_2D", inputs, (1, *sides, channels), given, zero_point, padding=padding, strideH=1, strideW=1,
          options="DepthwiseConv2DOptions", dilationHFactor=1, dilationWFactor=1, depthMultiplier=1,
          fusedActivationFunction=draw.choice([0, 1, 3]))  # fmt: skip
    return to.flatbuffer()


def dense(draw: Draw) -> bytes:
    """A dense layer, every other time with one scale for all weights; TFLite multiplies by a double here.

    For one with thousands of inputs there is no multiplier of 31 bits that rounds alike.
    """
    taken, given = _ends(draw)
    inputs, outputs = draw.choice([(37, _CHANNELS), (37, _CHANNELS), (4000, 3)])
    real = multipliers(draw, outputs, -2) if inputs < 100 else draw.random.uniform(2e-6, 4e-6, 3).astype(np.float32)
    if draw.random.random() < 0.5:
        real[:] = real[0]
    weights, bias = _filled(draw, real, real, inputs)
    scales = real[:1] if (real == real[0]).all() else real
    to = Builder((1, inputs), taken, draw.zero_point())
    inputs = [0, to.tensor(weights.shape, scales, 0, weights), to.tensor(bias.shape, taken * scales, 0, bias)]
    to.op("FULLY_CONNECTED", inputs, (1, outputs), given, draw.zero_point(), options="FullyConnectedOptions",
          fusedActivationFunction=draw.choice([0, 1, 3]))  # fmt: skip
    return to.flatbuffer()


_PICTURE = (1, 5, 7, 3)
_OTHERS = ["whole", "mean", "column", "channels", "scalar", "row", "picture"]  # computed, computed ..., constants


def add(draw: Draw) -> bytes:
    """The sum of the input and something else, of distant scales."""
    return _total(draw, "ADD")


def sub(draw: Draw) -> bytes:
    """The difference of the input and something else, in any order."""
    return _total(draw, "SUB")


def _total(draw: Draw, kind: str) -> bytes:
    first, second = draw.scale(-20, 20), draw.scale(-33, 33)
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
    taken = draw.scale(-10, 10)
    height, width = draw.choice([(1, 1), (2, 3), (7, 7), (17, 16)])
    channels = draw.choice([5, 11, 16, 37])
    to = Builder((1, height, width, channels), taken, draw.zero_point())
    axes = to.tensor((2,), [], 0, np.array([1, 2], np.int32))
    given = np.float32(taken * draw.scale(*draw.choice([(-6, 6), (26, 34)])))
    to.op("MEAN", [0, axes], (1, channels), given, draw.zero_point(), options="ReducerOptions", keepDims=False)
    return to.flatbuffer()


def average(draw: Draw) -> bytes:
    """An average pooling."""
    scale, zero_point = draw.scale(-10, 10), draw.zero_point()
    channels, padding, side = draw.choice([4, 12, 16, 37]), *draw.choice([(1, 4), (0, 5)])
    to = Builder((1, 5, 5, channels), scale, zero_point)
    sides = (1, side, side, channels)
    to.op("AVERAGE_POOL_2D", [0], sides, scale, zero_point, options="Pool2DOptions", padding=padding, strideH=1,
          strideW=1, filterHeight=2, filterWidth=2,
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


def every_int8(scale: np.float32, zero_point: int) -> Builder:
    """A network over so many values that noise holds nearly every int8."""
    return Builder(_EVERY, scale, zero_point)


KINDS = (
    conv,
    depthwise,
    dense,
    add,
    sub,
    mul,
    maximum,
    mean,
    average,
    softmax,
    logistic,
    hard_swish,
    relu,
    leaky_relu,
    quantize,
    prelu,
    concatenation,
    reduce_max,
    resize,
    depth_to_space,
    dilated,
    transpose_conv,
)


def networks(seed: int, each: int) -> Iterator[tuple[str, bytes]]:
    """So many networks of every kind, with their names."""
    for kind in KINDS:
        draw = Draw(np.random.default_rng((seed, KINDS.index(kind))))
        for number in range(each):
            draw.calm = number % 2 == 0
            yield f"{kind.__name__}{number}", kind(draw)
