"""DEPTHWISE_CONV_2D: a convolution of each channel by itself."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from convert.c.fixed_point import LEAST
from convert.c.network import Network, Operator
from convert.c.operators import lowers
from convert.c.ops.layer import Layer, check_undilated, folded_bias, multipliers, output_fields, stored_bias
from convert.c.ops.windows import padded_input, sides_read, strides
from convert.c.plan import Plan, Sides
from convert.c.rounding import sums, vectors_are_exact


@dataclass(frozen=True, kw_only=True)
class Depthwise(Layer):
    """A depthwise convolution."""

    kernel: ClassVar[str] = "depthwise"


def _reads(network: Network, operator: Operator, outputs: Sides) -> Sides:
    _, height, width, _ = network.tensors[operator.inputs[1]].shape
    return sides_read(network, operator, (height, width), outputs)


@lowers("DEPTHWISE_CONV_2D", reads=_reads)
def depthwise(plan: Plan, operator: Operator) -> None:
    """A depthwise convolution, weights (1, height, width, channels)."""
    weights = plan.constant(operator.inputs[1])
    check_undilated(plan, operator)
    name = plan.name(operator)
    value = padded_input(plan, operator, weights.shape[1:3], name)
    output = plan.output_value_read(operator.outputs[0])
    multiplier, shift = multipliers(plan, operator, weights.shape[3])
    by_channel = np.moveaxis(weights, 3, 0)
    bias = stored_bias(plan, operator, len(by_channel))
    reach = sums(by_channel, bias, plan.tensor(operator.inputs[0]).zero_point)
    step_y, step_x = strides(operator)
    fields = {
        "kernel_height": weights.shape[1],
        "kernel_width": weights.shape[2],
        "row": value.row,
        "step_y": step_y * value.row,
        "step_x": step_x * value.channels,
        "input_channels": value.channels,
    }
    step = Depthwise(
        name=name,
        inputs=(value,),
        output=output,
        weights=weights,
        bias=folded_bias(plan, operator, by_channel),
        multiplier=multiplier,
        shift=shift,
        fields=fields | output_fields(plan, output, operator),
        multiply_accumulates=output.height * output.width * weights.size,
        is_fast=bool((weights > LEAST).all()) and vectors_are_exact(*reach, multiplier, shift),
    )
    plan.steps.append(step)
