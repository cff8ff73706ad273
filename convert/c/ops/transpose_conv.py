"""TRANSPOSE_CONV: a convolution that gives a square of pixels for each pixel, each by weights of its own.

Output y takes the kernel's rows k for which y + padding - k is a multiple of the stride, from input (y + padding - k) /
stride. So the outputs of one phase, y modulo stride, are a plain convolution with some of the kernel's rows. One
convolution computes all phases as channels, and a copy makes pixels of them.
"""

from dataclasses import dataclass

import numpy as np

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.conv_layer import Rescaling, conv_step
from convert.c.ops.gather import add_gather
from convert.c.ops.layer import multipliers, output_fields, stored_bias
from convert.c.ops.walk import walk
from convert.c.ops.windows import SAME, strides
from convert.c.plan import Plan
from convert.c.rounding import sums, vectors_are_exact
from convert.c.step import Bytes, Value


@dataclass(frozen=True)
class _Axis:
    """Rows (or columns): of the kernel each with its phase and its input, from the output's own in whole squares."""

    taps: list[tuple[int, int, int]]
    stride: int
    squares: int
    inputs: int

    @property
    def first(self) -> int:
        """The first input that an output takes, from its own."""
        return min(0, *(place for _, _, place in self.taps))

    @property
    def size(self) -> int:
        """Inputs from the first to the last that an output takes."""
        return max(0, *(place for _, _, place in self.taps)) - self.first + 1

    @property
    def border(self) -> tuple[int, int]:
        """Rows before and behind the input that outputs take."""
        return -self.first, max(0, self.squares - 1 + self.first + self.size - self.inputs)


def _axis(kernel: int, stride: int, outputs: int, inputs: int, is_same: bool) -> _Axis:
    """One axis of a transposed convolution. Source: ComputePaddingHeightWidth, padding.h."""
    squares = -(-outputs // stride)
    padding = max(0, (squares - 1) * stride + kernel - outputs) // 2 if is_same else 0
    phases = [(row, (row - padding) % stride) for row in range(kernel)]
    taps = [(row, phase, (phase + padding - row) // stride) for row, phase in phases]
    return _Axis(taps, stride, squares, inputs)


@lowers("TRANSPOSE_CONV")
def transpose_conv(plan: Plan, operator: Operator) -> None:
    """A transposed convolution, weights (outputs, height, width, inputs)."""
    _, kernel, picture, *bias = operator.inputs
    operator = Operator(operator.kind, (picture, kernel, *bias), operator.outputs, operator.options)
    name, value, weights = plan.name(operator), plan.value(picture), plan.constant(kernel)
    height, width, _ = plan.picture(operator.outputs[0])
    (down, across), is_same = strides(operator), operator.options["padding"] == SAME
    rows = _axis(weights.shape[1], down, height, value.height, is_same)
    columns = _axis(weights.shape[2], across, width, value.width, is_same)
    phases = _add_phases(plan, operator, name, value, _weights(weights, rows, columns), rows, columns)
    _add_pixels(plan, name, phases, operator.outputs[0], (down, across))


def _weights(weights: Bytes, rows: _Axis, columns: _Axis) -> Bytes:
    """Weights of all phases, (phases down * phases across * outputs, height, width, inputs), with zeros between."""
    outputs, _, _, inputs = weights.shape
    spread = np.zeros((rows.stride, columns.stride, outputs, rows.size, columns.size, inputs), np.int8)
    for row, phase_down, y in rows.taps:
        for column, phase_across, x in columns.taps:
            spread[phase_down, phase_across, :, y - rows.first, x - columns.first] = weights[:, row, column]
    return spread.reshape(-1, rows.size, columns.size, inputs)


def _add_phases(
    plan: Plan, operator: Operator, name: str, value: Value, weights: Bytes, rows: _Axis, columns: _Axis
) -> Value:
    """Append the convolution that gives the phases of each square as channels."""
    phases = rows.stride * columns.stride
    outputs, zero_point = len(weights) // phases, plan.tensor(operator.inputs[0]).zero_point
    bias = np.tile(stored_bias(plan, operator, outputs), phases)
    multiplier, shift = (np.tile(values, phases) for values in multipliers(plan, operator, outputs))
    is_fast = vectors_are_exact(*sums(weights, bias, zero_point), multiplier, shift)
    squares = plan.new(rows.squares, columns.squares, len(weights))
    around = (*rows.border, *columns.border)
    fields = walk(value, around=around, zero_point=zero_point) | output_fields(plan, squares, operator)
    rescaling = Rescaling(multiplier, shift, is_fast=is_fast)
    folded = bias - np.int32(zero_point) * weights.sum(axis=(1, 2, 3), dtype=np.int32)
    plan.steps.append(conv_step(name, value, squares, weights, folded, rescaling, fields))
    return squares


def _add_pixels(plan: Plan, name: str, squares: Value, place: int, stride: tuple[int, int]) -> None:
    """Append the copy that makes pixels of phases, and where the last squares are cut off, one of what is left."""
    (down, across), (height, width, channels) = stride, plan.picture(place)
    if stride == (1, 1):
        plan.values[place] = squares
        return
    axes = [
        (squares.height, squares.row),
        (down, across * channels),
        (squares.width, squares.channels),
        (across, channels),
        (channels, 1),
    ]
    is_whole = (squares.height * down, squares.width * across) == (height, width)
    pixels = plan.output_value(place) if is_whole else plan.new(squares.height * down, squares.width * across, channels)
    add_gather(plan, plan.unique_name(f"{name}_pixels"), squares, pixels, axes)
    if not is_whole:
        crop = [(height, pixels.row), (width * channels, 1)]
        add_gather(plan, plan.unique_name(f"{name}_crop"), pixels, plan.output_value(place), crop)
