"""Steps without a window: sums, means, probabilities, and those that only move values."""

from math import prod

import numpy as np

from convert.c.graph import Op
from convert.c.plan import Plan
from convert.c.quantize import activation_range, multiplier, softmax_powers
from convert.c.steps import Add, Gather, Maximum, Mean, Softmax, Value
from convert.c.windows import pad_step


def mean(made: Plan, op: Op) -> list[Op]:
    """The mean over height and width."""
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


def add(made: Plan, op: Op) -> list[Op]:
    """The sum of two values."""
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
    if pairs[""][1] < 0:  # TFLite ends the process
        raise made.refusal(f"adds into a scale that is too small, {given.name!r}")
    fields = {"one_zero_point": one.zero_point, "other_zero_point": other.zero_point, "zero_point": given.zero_point}
    for side, (fixed, shift) in pairs.items():
        prefix = f"{side}_" if side else ""
        fields |= {f"{prefix}multiplier": fixed, f"{prefix}shift": shift}
    fields |= {"least": least, "most": most}
    name = made.name(op.outputs[0], op.kind)
    made.steps.append(Add(name, made.make_whole(op.outputs[0]), (first, second), fields))
    return [op]


def maximum(made: Plan, op: Op) -> list[Op]:
    """The larger of two values."""
    first, second = made.value(op.inputs[0]), made.value(op.inputs[1])
    if first.size != second.size:
        raise made.refusal("takes the maximum of values of different shapes")
    name = made.name(op.outputs[0], op.kind)
    made.steps.append(Maximum(name, made.make_whole(op.outputs[0]), (first, second)))
    return [op]


def pad(made: Plan, op: Op) -> list[Op]:
    """A border of the zero point around a picture."""
    around = np.asarray(made.constant(op.inputs[1]))
    if around.shape != (4, 2) or around[0].any() or around[3].any():
        raise made.refusal(f"pads other axes than height and width, {made.tensor(op.outputs[0]).name!r}")
    (top, bottom), (left, right) = ((int(before), int(after)) for before, after in around[1:3])
    name = made.name(op.outputs[0], op.kind)
    fill = made.tensor(op.outputs[0]).zero_point
    pad_step(made, op.inputs[0], (top, bottom, left, right), name, made.make_whole(op.outputs[0]), fill)
    return [op]


def reshape(made: Plan, op: Op) -> list[Op]:
    """No step: the same bytes, read otherwise."""
    taken = made.value(op.inputs[0])
    height, width, channels = made.whole(op.outputs[0])
    made.values[op.outputs[0]] = Value(taken.buffer, height, width, channels)
    return [op]


def softmax(made: Plan, op: Op) -> list[Op]:
    """Probabilities from logits."""
    taken, source, given = made.value(op.inputs[0]), made.tensor(op.inputs[0]), made.tensor(op.outputs[0])
    if taken.size != source.shape[-1]:
        raise made.refusal(f"has a softmax over more than one row, {given.name!r}")
    powers = softmax_powers(source, op.options["beta"])
    name = made.name(op.outputs[0], op.kind)
    made.steps.append(
        Softmax(name, made.make_whole(op.outputs[0]), (taken,), powers, float(given.scale), given.zero_point)
    )
    return [op]


def _gather(made: Plan, op: Op, taken: Value, place: int, start: int, axes: list[tuple[int, int]]) -> None:
    """Copy along axes of (side, step in the input)."""
    kept = [axis for axis in axes if axis[0] != 1]
    if len(kept) > 5:
        raise made.refusal("moves values along more than five axes")
    sides, steps = zip(*([(1, 0)] * (5 - len(kept)) + kept), strict=True)
    name = made.name(place, op.kind)
    made.steps.append(Gather(name, made.make_whole(place), (taken,), start, sides, steps))


def _strides(shape: tuple[int, ...]) -> list[int]:
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


def strided_slice(made: Plan, op: Op) -> list[Op]:
    """A part of a value, every so many of it."""
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


def space_to_depth(made: Plan, op: Op) -> list[Op]:
    """Squares of pixels as channels of one."""
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


def split(made: Plan, op: Op) -> list[Op]:
    """Parts of a value along an axis, each a value of its own."""
    shape = made.tensor(op.inputs[1]).shape
    axis = int(np.ravel(made.constant(op.inputs[0]))[0]) % len(shape)
    strides, start = _strides(shape), 0
    for each in op.outputs:
        sides = made.tensor(each).shape
        _gather(made, op, made.value(op.inputs[1]), each, start, list(zip(sides, strides, strict=True)))
        start += sides[axis] * strides[axis]
    return [op]
