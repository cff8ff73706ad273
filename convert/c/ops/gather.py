"""STRIDED_SLICE, SPLIT, SPACE_TO_DEPTH, DEPTH_TO_SPACE: a part of a value, or all of it in another order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Step, Value

_AXES = 5  # as in kernels/gather.h
Axis = tuple[int, int]  # side, and bytes from one to the next in the input


@dataclass(frozen=True, kw_only=True)
class Gather(Step):
    """A copy along axes."""

    kernel: ClassVar[str] = "gather"
    start: int  # bytes from the input's beginning
    axes: list[Axis]

    def constants(self) -> Iterator[str]:
        """C of the axes."""
        for field, numbers in zip(("sides", "steps"), zip(*self.axes, strict=True), strict=True):
            yield f"static const int {self.name}_{field}[{_AXES}] = {{{', '.join(map(str, numbers))}}};\n"

    def addresses(self) -> list[str]:
        """From where to where."""
        start = f" + {self.start}" if self.start else ""
        return [self.inputs[0].pointer + start, self.output.pointer]

    def parameters(self) -> Sequence[object]:
        """The axes."""
        return f"{self.name}_sides", f"{self.name}_steps"


def add_gather(plan: Plan, name: str, value: Value, output: Value, axes: list[Axis], start: int = 0) -> None:
    """Append the step that copies along axes of the input, in the order of the output's."""
    long = [axis for axis in axes if axis[0] != 1]
    if len(long) > _AXES:
        raise plan.refusal("moves values along more than five axes")
    axes = [(1, 0)] * (_AXES - len(long)) + long
    plan.steps.append(Gather(name=name, inputs=(value,), output=output, start=start, axes=axes))


def byte_steps(shape: tuple[int, ...]) -> list[int]:
    """Bytes from one to the next along each axis of a tensor."""
    return [prod(shape[axis + 1 :]) for axis in range(len(shape))]


@lowers("STRIDED_SLICE")
def strided_slice(plan: Plan, operator: Operator) -> None:
    """A part of a value, every so many of it."""
    shape, options = plan.tensor(operator.inputs[0]).shape, operator.options
    begin, end, strides = (list(map(int, plan.constant(place))) for place in operator.inputs[1:4])
    if any(options[mask] for mask in ("shrinkAxisMask", "newAxisMask", "ellipsisMask")) or min(strides) < 1:
        raise plan.refusal("slices in a way that is more than begin, end and stride")
    start, axes = 0, []
    for axis, (side, step) in enumerate(zip(shape, byte_steps(shape), strict=True)):
        first, last = (index + side if index < 0 else index for index in (begin[axis], end[axis]))
        first = 0 if options["beginMask"] >> axis & 1 else first
        last = side if options["endMask"] >> axis & 1 else min(last, side)
        start += first * step
        axes.append((-(-(last - first) // strides[axis]), strides[axis] * step))
    value = plan.value(operator.inputs[0])
    add_gather(plan, plan.name(operator), value, plan.output_value(operator.outputs[0]), axes, start)


@lowers("SPACE_TO_DEPTH")
def space_to_depth(plan: Plan, operator: Operator) -> None:
    """Squares of pixels as channels of one."""
    height, width, channels = plan.picture(operator.inputs[0])
    side, row = operator.options["blockSize"], width * channels
    axes = [
        (height // side, side * row),
        (width // side, side * channels),
        (side, row),
        (side, channels),
        (channels, 1),
    ]
    value = plan.value(operator.inputs[0])
    add_gather(plan, plan.name(operator), value, plan.output_value(operator.outputs[0]), axes)


@lowers("DEPTH_TO_SPACE")
def depth_to_space(plan: Plan, operator: Operator) -> None:
    """Channels of a pixel as a square of pixels."""
    value, output = plan.value(operator.inputs[0]), plan.output_value(operator.outputs[0])
    side, channels = operator.options["blockSize"], output.channels
    axes = [
        (value.height, value.row),
        (side, side * channels),
        (value.width, value.channels),
        (side, channels),
        (channels, 1),
    ]
    add_gather(plan, plan.name(operator), value, output, axes)


@lowers("SPLIT")
def split(plan: Plan, operator: Operator) -> None:
    """Parts of a value along an axis, each a value of its own."""
    source = operator.inputs[1]
    shape = plan.tensor(source).shape
    axis = int(np.ravel(plan.constant(operator.inputs[0]))[0]) % len(shape)
    steps, start = byte_steps(shape), 0
    for place in operator.outputs:
        sides = plan.tensor(place).shape
        axes = list(zip(sides, steps, strict=True))
        add_gather(plan, plan.name(operator, place), plan.value(source), plan.output_value(place), axes, start)
        start += sides[axis] * steps[axis]
