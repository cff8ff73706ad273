"""From a graph to the steps of its C: shapes made plain, pooling folded into convolutions, what nobody reads left out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.c.graph import Graph, Op, Tensor
from convert.c.quantize import LEAST, activation_range, channel_multipliers, multiplier, softmax_powers
from convert.c.steps import (
    Add,
    Buffer,
    Bytes,
    Conv,
    Depthwise,
    Gather,
    Ints,
    Maximum,
    Mean,
    Pad,
    Pool,
    Softmax,
    Step,
    Value,
    place,
)
from convert.names import layer_of
from edgecnn.errors import EdgecnnError

_BLOCK, _GROUP, _TILE = 16, 4, 4  # as in kernels/conv.h
_SAME = 0  # schema.Padding


@dataclass
class Plan:
    """The steps, in their order; the first value is the input, the last the output."""

    source: str
    graph: Graph
    steps: list[Step] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)  # by the tensor's place
    buffers: list[Buffer] = field(default_factory=list)
    arena: int = 0  # bytes

    def __post_init__(self) -> None:
        self.readers: dict[int, list[Op]] = {}
        for op in self.graph.ops:
            for each in set(op.inputs):
                self.readers.setdefault(each, []).append(op)
        self.read = _read_sides(self.graph)
        self.names: set[str] = set()

    @property
    def input(self) -> Value:
        """Where the pixels go."""
        return self.values[self.graph.input]

    @property
    def output(self) -> Value:
        """Where the answer is."""
        return self.values[self.graph.output]

    def tensor(self, place: int) -> Tensor:
        """A tensor of the graph."""
        return self.graph.tensors[place]

    def value(self, place: int) -> Value:
        """A computed value, about to be read by the next step.

        Raises:
            EdgecnnError: it is a constant.
        """
        if place not in self.values:
            raise self.refusal(f"reads the constant {self.tensor(place).name!r} where a computed value is expected")
        found = self.values[place]
        found.buffer.last = len(self.steps)
        return found

    def constant(self, place: int) -> Any:
        """The values of a constant."""
        data = self.tensor(place).data
        if data is None:
            raise self.refusal(f"computes {self.tensor(place).name!r}, which must be a constant")
        return data

    def whole(self, place: int) -> tuple[int, int, int]:
        """A tensor's (height, width, channels); what is no picture is one row of channels."""
        shape = self.tensor(place).shape
        return (shape[1], shape[2], shape[3]) if len(shape) == 4 else (1, 1, prod(shape))

    def new(self, height: int, width: int, channels: int) -> Value:
        """Room for what the next step writes."""
        buffer = Buffer(height * width * channels, len(self.steps), len(self.steps))
        self.buffers.append(buffer)
        return Value(buffer, height, width, channels)

    def make(self, place: int) -> Value:
        """Room for a tensor, as much of it as anybody reads."""
        height, width, channels = self.whole(place)
        height, width = self.read.get(place, (height, width))
        self.values[place] = self.new(height, width, channels)
        return self.values[place]

    def name(self, place: int, kind: str) -> str:
        """A name of its own for a step: the Keras layer's, if it is known."""
        layer = layer_of(self.tensor(place).name) or kind.lower()
        base = "".join(char if char.isalnum() and char.isascii() else "_" for char in layer)
        base = f"layer_{base}"  # never a kernel's name, nor a word of C
        name, number = base, 1
        while name in self.names:
            name, number = f"{base}_{number}", number + 1
        self.names.add(name)
        return name

    def refusal(self, what: str) -> EdgecnnError:
        """The error for a graph that C cannot be written for."""
        return EdgecnnError(f"{self.source} {what}: C is not written for that")


def plan(source: str, graph: Graph) -> Plan:
    """The steps of a graph, with their places in the arena.

    Raises:
        EdgecnnError: an operator has a form that C is not written for.
    """
    made = Plan(source, graph)
    made.values[graph.input] = made.new(*made.whole(graph.input))
    done: set[int] = set()
    for op in graph.ops:
        if id(op) not in done:
            done |= {id(each) for each in _LOWER[op.kind](made, op)}
    made.value(graph.output)
    made.arena = place(made.buffers)
    return made


def _read_sides(graph: Graph) -> dict[int, tuple[int, int]]:
    """Of each tensor that is read in part, the height and width that are: those of the windows that anybody computes."""
    read: dict[int, tuple[int, int]] = {}
    windows = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D")
    for op in reversed(graph.ops):
        taken, given = op.inputs[0], op.outputs[0]
        for each in op.inputs:
            shape = graph.tensors[each].shape
            if len(shape) != 4:
                continue
            sides = (shape[1], shape[2])
            if op.kind in windows and each == taken and op.options["padding"] != _SAME:
                kernel = _kernel(graph, op)
                strides = (op.options["strideH"], op.options["strideW"])
                outputs = read.get(given, graph.tensors[given].shape[1:3])
                sides = _reach(outputs, kernel, strides)
            before = read.get(each, (0, 0))
            read[each] = (max(before[0], sides[0]), max(before[1], sides[1]))
    read.pop(graph.output, None)
    return read


def _kernel(graph: Graph, op: Op) -> tuple[int, int]:
    if "filterHeight" in op.options:
        return op.options["filterHeight"], op.options["filterWidth"]
    return graph.tensors[op.inputs[1]].shape[1:3]  # type: ignore[return-value]


def _reach(outputs: tuple[int, ...], kernel: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int]:
    height, width = ((n - 1) * stride + k for n, k, stride in zip(outputs, kernel, strides, strict=True))
    return height, width


def _conv(made: Plan, op: Op) -> list[Op]:
    weights = made.constant(op.inputs[1])
    _undilated(made, op)
    name = made.name(op.outputs[0], op.kind)
    taken = _padded(made, op, weights.shape[1:3], name)
    pooling = _pooling_behind(made, op)
    return _convolve(made, op, taken, weights, name, (op.options["strideH"], op.options["strideW"]), pooling)


def _dense(made: Plan, op: Op) -> list[Op]:
    weights = made.constant(op.inputs[1])
    taken = made.value(op.inputs[0])
    if taken.size != weights.shape[1]:
        raise made.refusal("has a dense layer over more than one row")
    flat = Value(taken.buffer, 1, 1, taken.size)
    name = made.name(op.outputs[0], op.kind)
    return _convolve(made, op, flat, weights[:, np.newaxis, np.newaxis, :], name, (1, 1), None)


def _convolve(
    made: Plan, op: Op, taken: Value, weights: Bytes, name: str, strides: tuple[int, int], pooling: Op | None
) -> list[Op]:
    """A convolution over a value that is padded already."""
    outputs, kernel_height, kernel_width, channels = weights.shape
    if channels != taken.channels:
        raise made.refusal(f"has a grouped convolution, {name!r}")
    last = pooling or op
    given = made.tensor(op.outputs[0])
    least, most = activation_range(op.options["fusedActivationFunction"], given)
    if pooling:
        held = activation_range(pooling.options["fusedActivationFunction"], made.tensor(pooling.outputs[0]))
        least, most = max(least, held[0]), min(most, held[1])
    output = made.make(last.outputs[0])
    packed, groups = _packed(weights)
    pairs = channel_multipliers(made.tensor(op.inputs[0]), made.tensor(op.inputs[1]), given, outputs)
    bias, sums = _bias(made, op, weights), weights.astype(np.int32).sum(axis=(1, 2, 3), dtype=np.int32)
    across, down = strides[1] * taken.channels, strides[0] * taken.row
    if pooling:
        pool_y, pool_x = pooling.options["strideH"], pooling.options["strideW"]
        tall, wide = pooling.options["filterHeight"], pooling.options["filterWidth"]
        steps, positions = (down * pool_y, across * pool_x), (tall * wide, wide)
    else:
        side = _tile(output.width)
        steps, positions = (down, across), (side, side)
    few = _few(weights)
    fields = {
        "blocks": len(packed),
        "kernel_height": kernel_height,
        "groups": groups,
        "taps": kernel_width * channels if few is not None else 0,
        "row": taken.row,
        "step_y": steps[0],
        "step_x": steps[1],
        "positions": positions[0],
        "positions_across": positions[1],
        "position_y": down,
        "position_x": across,
        "pooled": int(pooling is not None),
        "dense": int(op.kind == "FULLY_CONNECTED"),
        "height": output.height,
        "width": output.width,
        "channels": outputs,
        "zero_point": given.zero_point,
        "least": least,
        "most": most,
    }
    multipliers, shifts = (_rounded_up(np.array(column, np.int32)) for column in zip(*pairs, strict=True))
    fast = bool((weights > LEAST).all()) and all(1 <= shift <= 31 for _, shift in pairs)
    if fast:
        shifts[outputs:] = 1
    signed, unsigned = _rounded_up(bias), _rounded_up(bias - 128 * sums)
    step = Conv(name, output, (taken,), packed, signed, multipliers, shifts, fields, unsigned, few, fast)
    made.steps.append(step)
    return [op, last]


def _bias(made: Plan, op: Op, weights: Bytes, axes: tuple[int, ...] = (1, 2, 3)) -> Ints:
    """The bias, less the input's zero point times the sum of the weights."""
    sums = weights.astype(np.int32).sum(axis=axes, dtype=np.int32)
    bias = made.constant(op.inputs[2]) if len(op.inputs) > 2 and op.inputs[2] >= 0 else np.zeros(len(sums), np.int32)
    total: Ints = bias.astype(np.int32) - np.int32(made.tensor(op.inputs[0]).zero_point) * sums
    return total


def _packed(weights: Bytes) -> tuple[Bytes, int]:
    """Weights as the kernels read them, (blocks, kernel height, groups, 16, 4), and the groups of a row."""
    outputs, height, width, channels = weights.shape
    groups, blocks = -(-width * channels // _GROUP), -(-outputs // _BLOCK)
    padded = np.zeros((blocks * _BLOCK, height, groups * _GROUP), np.int8)
    padded[:outputs, :, : width * channels] = weights.reshape(outputs, height, width * channels)
    return padded.reshape(blocks, _BLOCK, height, groups, _GROUP).transpose(0, 2, 3, 1, 4), groups


def _few(weights: Bytes) -> npt.NDArray[np.int16] | None:
    """Weights a byte of a kernel's row at a time, (blocks * 2, kernel height, bytes, 8), where groups would waste many."""
    outputs, height, width, channels = weights.shape
    taps, blocks = width * channels, -(-outputs // _BLOCK)
    if taps > 8 or taps % _GROUP == 0:
        return None
    padded = np.zeros((blocks * _BLOCK, height, taps), np.int16)
    padded[:outputs] = weights.reshape(outputs, height, taps)
    return padded.reshape(blocks * 2, 8, height, taps).transpose(0, 2, 3, 1)


def _rounded_up(values: Ints) -> Ints:
    """Values of channels, with zeros up to a whole number of blocks."""
    return np.pad(values, (0, -len(values) % _BLOCK))


def _tile(width: int) -> int:
    """How many neighbours to compute at once: the fewest loads and wasted positions in a row."""
    return min(range(min(width, _TILE), 0, -1), key=lambda side: -(-width // side) * (side + 1))


def _pooling_behind(made: Plan, op: Op) -> Op | None:
    """The maximum pooling that is the only reader of a convolution, if a tile holds its window."""
    readers = made.readers.get(op.outputs[0], [])
    if len(readers) != 1 or readers[0].kind != "MAX_POOL_2D" or op.outputs[0] == made.graph.output:
        return None
    options = readers[0].options
    small = options["filterHeight"] * options["filterWidth"] <= _TILE
    return readers[0] if small and options["padding"] != _SAME else None


def _undilated(made: Plan, op: Op) -> None:
    if op.options["dilationHFactor"] != 1 or op.options["dilationWFactor"] != 1:
        raise made.refusal(f"has a dilated convolution, {made.tensor(op.outputs[0]).name!r}")


def _borders(made: Plan, op: Op, kernel: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Rows and columns of padding: top, bottom, left, right. Source: ComputePadding, padding.h."""
    if op.options["padding"] != _SAME:
        return 0, 0, 0, 0
    taken, given = made.whole(op.inputs[0]), made.whole(op.outputs[0])
    strides = (op.options["strideH"], op.options["strideW"])
    reach = _reach(given[:2], (kernel[0], kernel[1]), strides)
    tall, wide = (max(0, needed - side) for needed, side in zip(reach, taken[:2], strict=True))
    return tall // 2, tall - tall // 2, wide // 2, wide - wide // 2


def _padded(made: Plan, op: Op, kernel: tuple[int, ...], name: str) -> Value:
    """The input of a convolution with its padding, which a step of its own writes."""
    borders = _borders(made, op, kernel)
    if not any(borders):
        return made.value(op.inputs[0])
    return _pad_step(made, op.inputs[0], borders, f"{name}_padding", None)


def _pad_step(
    made: Plan, place: int, borders: tuple[int, int, int, int], name: str, output: Value | None, fill: int | None = None
) -> Value:
    top, bottom, left, right = borders
    taken = made.value(place)
    output = output or made.new(top + taken.height + bottom, left + taken.width + right, taken.channels)
    value = made.tensor(place).zero_point if fill is None else fill
    channels = taken.channels
    made.steps.append(Pad(name, output, (taken,), top, bottom, left * channels, right * channels, value))
    return _at(output, len(made.steps))


def _at(value: Value, step: int) -> Value:
    """A value that a step is about to read."""
    value.buffer.last = max(value.buffer.last, step)
    return value


def _depthwise(made: Plan, op: Op) -> list[Op]:
    weights = made.constant(op.inputs[1])
    _undilated(made, op)
    name = made.name(op.outputs[0], op.kind)
    taken = _padded(made, op, weights.shape[1:3], name)
    given = made.tensor(op.outputs[0])
    least, most = activation_range(op.options["fusedActivationFunction"], given)
    output = made.make(op.outputs[0])
    pairs = channel_multipliers(made.tensor(op.inputs[0]), made.tensor(op.inputs[1]), given, weights.shape[3])
    fields = {
        "kernel_height": weights.shape[1],
        "kernel_width": weights.shape[2],
        "row": taken.row,
        "step_y": op.options["strideH"] * taken.row,
        "step_x": op.options["strideW"] * taken.channels,
        "input_channels": taken.channels,
        "height": output.height,
        "width": output.width,
        "channels": output.channels,
        "zero_point": given.zero_point,
        "least": least,
        "most": most,
    }
    multipliers, shifts = (np.array(column, np.int32) for column in zip(*pairs, strict=True))
    bias = _bias(made, op, weights, (0, 1, 2))
    made.steps.append(Depthwise(name, output, (taken,), weights, bias, multipliers, shifts, fields))
    return [op]


def _pool(made: Plan, op: Op) -> list[Op]:
    kernel = (op.options["filterHeight"], op.options["filterWidth"])
    top, _, left, _ = _borders(made, op, kernel)
    taken = made.value(op.inputs[0])
    name, output = made.name(op.outputs[0], op.kind), made.make(op.outputs[0])
    least, most = activation_range(op.options["fusedActivationFunction"], made.tensor(op.outputs[0]))
    fields = {
        "pool_height": kernel[0],
        "pool_width": kernel[1],
        "stride_y": op.options["strideH"],
        "stride_x": op.options["strideW"],
        "top": top,
        "left": left,
        "input_height": taken.height,
        "input_width": taken.width,
        "height": output.height,
        "width": output.width,
        "channels": output.channels,
        "least": least,
        "most": most,
    }
    made.steps.append(Pool(name, output, (taken,), fields, op.kind == "AVERAGE_POOL_2D"))
    return [op]


def _mean(made: Plan, op: Op) -> list[Op]:
    axes = sorted(int(axis) % 4 for axis in np.ravel(made.constant(op.inputs[1])))
    taken, source, given = made.value(op.inputs[0]), made.tensor(op.inputs[0]), made.tensor(op.outputs[0])
    if len(source.shape) != 4 or axes != [1, 2]:
        raise made.refusal(f"has a mean over other axes than height and width, {given.name!r}")
    pixels = taken.height * taken.width
    fixed, shift = multiplier(float(source.scale) / float(given.scale))
    fixed, shift = _divided(fixed, shift, pixels)
    output = made.new(1, 1, taken.channels)
    made.values[op.outputs[0]] = output
    name = made.name(op.outputs[0], op.kind)
    made.steps.append(Mean(name, output, (taken,), source.zero_point, given.zero_point, fixed, shift))
    return [op]


def _divided(fixed: int, shift: int, count: int) -> tuple[int, int]:
    """A multiplier divided by a count, without losing bits. Source: TFLite's mean of integers, reduce.cc."""
    more = min(count.bit_length() - 1, 32, 31 - shift)
    return (fixed << more) // count, shift + more


def _add(made: Plan, op: Op) -> list[Op]:
    one, other = (made.tensor(each) for each in op.inputs)
    given = made.tensor(op.outputs[0])
    first, second = made.value(op.inputs[0]), made.value(op.inputs[1])
    if one.shape != other.shape or first.size != second.size:
        raise made.refusal(f"adds values of different shapes, {given.name!r}")
    twice = 2 * max(float(one.scale), float(other.scale))
    least, most = activation_range(op.options["fusedActivationFunction"], given)
    pairs = {
        "one": multiplier(float(one.scale) / twice),
        "other": multiplier(float(other.scale) / twice),
        "": multiplier(twice / (2**20 * float(given.scale))),
    }
    fields = {"one_zero_point": one.zero_point, "other_zero_point": other.zero_point, "zero_point": given.zero_point}
    for side, (fixed, shift) in pairs.items():
        prefix = f"{side}_" if side else ""
        fields |= {f"{prefix}multiplier": fixed, f"{prefix}shift": shift}
    fields |= {"least": least, "most": most}
    name = made.name(op.outputs[0], op.kind)
    made.steps.append(Add(name, _whole_output(made, op), (first, second), fields))
    return [op]


def _whole_output(made: Plan, op: Op, place: int | None = None) -> Value:
    """Room for all of an output, whoever reads how much of it."""
    place = op.outputs[0] if place is None else place
    made.values[place] = made.new(*made.whole(place))
    return made.values[place]


def _maximum(made: Plan, op: Op) -> list[Op]:
    first, second = made.value(op.inputs[0]), made.value(op.inputs[1])
    if first.size != second.size:
        raise made.refusal("takes the maximum of values of different shapes")
    name = made.name(op.outputs[0], op.kind)
    made.steps.append(Maximum(name, _whole_output(made, op), (first, second)))
    return [op]


def _pad(made: Plan, op: Op) -> list[Op]:
    around = np.asarray(made.constant(op.inputs[1]))
    if around.shape != (4, 2) or around[0].any() or around[3].any():
        raise made.refusal(f"pads other axes than height and width, {made.tensor(op.outputs[0]).name!r}")
    (top, bottom), (left, right) = ((int(before), int(after)) for before, after in around[1:3])
    name = made.name(op.outputs[0], op.kind)
    fill = made.tensor(op.outputs[0]).zero_point
    _pad_step(made, op.inputs[0], (top, bottom, left, right), name, _whole_output(made, op), fill)
    return [op]


def _reshape(made: Plan, op: Op) -> list[Op]:
    """No step: the same bytes, read otherwise."""
    taken = made.value(op.inputs[0])
    height, width, channels = made.whole(op.outputs[0])
    made.values[op.outputs[0]] = Value(taken.buffer, height, width, channels)
    return [op]


def _softmax(made: Plan, op: Op) -> list[Op]:
    taken, source, given = made.value(op.inputs[0]), made.tensor(op.inputs[0]), made.tensor(op.outputs[0])
    if taken.size != source.shape[-1]:
        raise made.refusal(f"has a softmax over more than one row, {given.name!r}")
    powers = softmax_powers(source, op.options["beta"])
    name = made.name(op.outputs[0], op.kind)
    made.steps.append(Softmax(name, _whole_output(made, op), (taken,), powers, float(given.scale), given.zero_point))
    return [op]


def _gather(made: Plan, op: Op, taken: Value, place: int, start: int, axes: list[tuple[int, int]]) -> None:
    """Copy along axes of (side, step in the input)."""
    kept = [axis for axis in axes if axis[0] != 1]
    if len(kept) > 5:
        raise made.refusal("moves values along more than five axes")
    sides, steps = zip(*([(1, 0)] * (5 - len(kept)) + kept), strict=True)
    name = made.name(place, op.kind)
    made.steps.append(Gather(name, _whole_output(made, op, place), (taken,), start, sides, steps))


def _strides(shape: tuple[int, ...]) -> list[int]:
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _slice(made: Plan, op: Op) -> list[Op]:
    shape = made.tensor(op.inputs[0]).shape
    begin, end, steps = (list(map(int, made.constant(each))) for each in op.inputs[1:4])
    if any(op.options[mask] for mask in ("shrinkAxisMask", "newAxisMask", "ellipsisMask")) or min(steps) < 1:
        raise made.refusal("slices in a way that is more than begin, end and stride")
    start, axes = 0, []
    for axis, (side, stride) in enumerate(zip(shape, _strides(shape), strict=True)):
        ends = (begin[axis], end[axis])
        first, last = (each + side if each < 0 else each for each in ends)
        first = 0 if op.options["beginMask"] >> axis & 1 else first
        last = side if op.options["endMask"] >> axis & 1 else min(last, side)
        start += first * stride
        axes.append((-(-(last - first) // steps[axis]), steps[axis] * stride))
    _gather(made, op, made.value(op.inputs[0]), op.outputs[0], start, axes)
    return [op]


def _space_to_depth(made: Plan, op: Op) -> list[Op]:
    height, width, channels = made.whole(op.inputs[0])
    side = op.options["blockSize"]
    row = width * channels
    axes = [
        (height // side, side * row),
        (width // side, side * channels),
        (side, row),
        (side, channels),
        (channels, 1),
    ]
    _gather(made, op, made.value(op.inputs[0]), op.outputs[0], 0, axes)
    return [op]


def _split(made: Plan, op: Op) -> list[Op]:
    shape = made.tensor(op.inputs[1]).shape
    axis = int(np.ravel(made.constant(op.inputs[0]))[0]) % len(shape)
    strides, start = _strides(shape), 0
    for each in op.outputs:
        sides = made.tensor(each).shape
        _gather(made, op, made.value(op.inputs[1]), each, start, list(zip(sides, strides, strict=True)))
        start += sides[axis] * strides[axis]
    return [op]


_LOWER: dict[str, Callable[[Plan, Op], list[Op]]] = {
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _dense,
    "MAX_POOL_2D": _pool,
    "AVERAGE_POOL_2D": _pool,
    "MEAN": _mean,
    "ADD": _add,
    "MAXIMUM": _maximum,
    "PAD": _pad,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
    "STRIDED_SLICE": _slice,
    "SPACE_TO_DEPTH": _space_to_depth,
    "SPLIT": _split,
}
