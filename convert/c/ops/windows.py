"""Windows that move over a picture: how far they reach, and the border around what they read."""

import numpy as np

from convert.c.network import Network, Operator
from convert.c.plan import Border, Plan, Sides
from convert.c.step import Bytes, Reach, Value

SAME = 0  # schema.Padding


def strides(operator: Operator) -> Sides:
    """Rows and columns from one output to the next."""
    return operator.options["strideH"], operator.options["strideW"]


def kernel_sides(network: Network, operator: Operator) -> Sides:
    """Height and width of a convolution's kernel, with the holes of a dilated one."""
    _, height, width, _ = network.tensors[operator.inputs[1]].shape
    down, across = operator.options["dilationHFactor"], operator.options["dilationWFactor"]
    return (height - 1) * down + 1, (width - 1) * across + 1


def dilated(operator: Operator, weights: Bytes) -> Bytes:
    """Weights (outputs, height, width, inputs) with zeros in the holes of a dilated convolution."""
    outputs, height, width, inputs = weights.shape
    down, across = operator.options["dilationHFactor"], operator.options["dilationWFactor"]
    spread = np.zeros((outputs, (height - 1) * down + 1, (width - 1) * across + 1, inputs), weights.dtype)
    spread[:, ::down, ::across] = weights
    return spread


def reach(outputs: Sides, kernel: Sides, steps: Sides) -> Sides:
    """How many inputs a window passes over to give so many outputs, down and across."""
    height, width = ((n - 1) * step + side for n, side, step in zip(outputs, kernel, steps, strict=True))
    return height, width


def row_reach(row: int, step: int, rows: int, top: int) -> Reach:
    """What a window reads of an input.

    Args:
        row: bytes of a row of the input.
        step: rows of the input from one row of the output to the next.
        rows: of the window.
        top: rows of border before the input.
    """
    return Reach(step * row, top * row, (rows - step - top) * row)


def sides_read(network: Network, operator: Operator, kernel: Sides, outputs: Sides) -> Sides:
    """The height and width of its input that a window reads, to give so many outputs."""
    if operator.options["padding"] != SAME:
        return reach(outputs, kernel, strides(operator))
    _, height, width, _ = network.tensors[operator.inputs[0]].shape
    return height, width


def kernel_reads(network: Network, operator: Operator, outputs: Sides) -> Sides:
    """The height and width of its input that a convolution reads, to give so many outputs."""
    return sides_read(network, operator, kernel_sides(network, operator), outputs)


def window_fields(plan: Plan, operator: Operator, kernel: Sides, value: Value) -> dict[str, int]:
    """The fields of a kernel's struct that say how a window moves over its input, and the border around that."""
    top, _, left, _ = borders(plan, operator, kernel)
    stride_y, stride_x = strides(operator)
    return {
        "stride_y": stride_y,
        "stride_x": stride_x,
        "top": top,
        "left": left,
        "input_height": value.height,
        "input_width": value.width,
    }


def window_sides(network: Network, operator: Operator) -> Sides:
    """Height and width of the window of a convolution or a pooling."""
    if "filterHeight" in operator.options:
        return operator.options["filterHeight"], operator.options["filterWidth"]
    return kernel_sides(network, operator)


def borders(plan: Plan, operator: Operator, kernel: Sides) -> Border:
    """Rows and columns around the stored input: the operator's padding, and the border that a PAD gave the input."""
    own, around = padding(plan, operator, kernel), plan.around.get(operator.inputs[0], (0, 0, 0, 0))
    top, bottom, left, right = (sum(sides) for sides in zip(own, around, strict=True))
    return top, bottom, left, right


def padding(plan: Plan, operator: Operator, kernel: Sides) -> Border:
    """Rows and columns of an operator's padding. Source: ComputePadding, padding.h."""
    if operator.options["padding"] != SAME:
        return 0, 0, 0, 0
    *inputs, _ = plan.picture(operator.inputs[0])
    *outputs, _ = plan.picture(operator.outputs[0])
    needed = reach((outputs[0], outputs[1]), kernel, strides(operator))
    rows, columns = (max(0, reached - side) for reached, side in zip(needed, inputs, strict=True))
    return rows // 2, rows - rows // 2, columns // 2, columns - columns // 2
