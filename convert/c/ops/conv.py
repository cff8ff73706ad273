"""CONV_2D, DEPTHWISE_CONV_2D: convolutions of all channels, of groups of them, of each by itself."""

import numpy as np

from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.ops.concatenation import copy_channels
from convert.c.ops.conv_layer import Rescaling, conv_step
from convert.c.ops.depthwise import add_depthwise
from convert.c.ops.gather import add_gather
from convert.c.ops.layer import folded_bias, multipliers, output_fields, sums_reached
from convert.c.ops.walk import walk
from convert.c.ops.windows import SAME, borders, dilated, kernel_reads, kernel_sides, strides
from convert.c.plan import Plan
from convert.c.rounding import fit_32_bits, vectors_are_exact
from convert.c.step import Bytes, Value
from convert.c.tiles import RULE

_POOLED = 4  # positions that every CPU's tile holds


@lowers("CONV_2D", reads=kernel_reads)
def conv(plan: Plan, operator: Operator) -> None:
    """A convolution, with the maximum pooling that alone reads it; one of groups is several, or a depthwise one."""
    weights = dilated(operator, plan.constant(operator.inputs[1]))
    channels = plan.value(operator.inputs[0]).channels
    if weights.shape[3] == channels:
        _add_conv(plan, operator, weights)
    elif weights.shape[3] == 1:
        add_depthwise(plan, operator, np.moveaxis(weights[..., 0], 0, 2)[np.newaxis])
    else:
        _add_groups(plan, operator, weights)


@lowers("DEPTHWISE_CONV_2D", reads=kernel_reads)
def depthwise(plan: Plan, operator: Operator) -> None:
    """A depthwise convolution; of one channel it is a convolution like others."""
    weights = dilated(operator, plan.constant(operator.inputs[1]))
    if plan.value(operator.inputs[0]).channels == 1:
        _add_conv(plan, operator, np.moveaxis(weights, 3, 0).reshape(weights.shape[3], *weights.shape[1:3], 1))
    else:
        add_depthwise(plan, operator, weights)


def _add_conv(plan: Plan, operator: Operator, weights: Bytes) -> None:
    """Append the step of a convolution, and of the maximum pooling that alone reads it."""
    name, value = plan.name(operator), plan.value(operator.inputs[0])
    reach = sums_reached(plan, operator, weights)
    pooling = _pooling_behind(plan, operator) if fit_32_bits(*reach) else None
    output = plan.output_value_read((pooling or operator).outputs[0])
    multiplier, shift = multipliers(plan, operator, len(weights))
    rescaling = Rescaling(multiplier, shift, is_fast=vectors_are_exact(*reach, multiplier, shift))
    fields = _walk(plan, operator, value, pooling) | output_fields(plan, output, operator, pooling)
    bias = folded_bias(plan, operator, weights)
    plan.steps.append(conv_step(name, value, output, weights, bias, rescaling, fields, plan.tiles.get(name, RULE)))
    plan.fused += [pooling] if pooling else []


def _add_groups(plan: Plan, operator: Operator, weights: Bytes) -> None:
    """Append the steps of a convolution of groups: the channels of one, its convolution, its place in the output."""
    name, value = plan.name(operator), plan.value(operator.inputs[0])
    channels, groups = weights.shape[3], value.channels // weights.shape[3]
    if channels * groups != value.channels or len(weights) % groups:
        raise plan.refusal(f"has a convolution over some of its channels, {name!r}")
    output, size = plan.output_value_read(operator.outputs[0]), len(weights) // groups
    multiplier, shift = multipliers(plan, operator, len(weights))
    is_fast = vectors_are_exact(*sums_reached(plan, operator, weights), multiplier, shift)
    bias = folded_bias(plan, operator, weights)
    for group in range(groups):
        picture = plan.new(value.height, value.width, channels)
        axes = [(value.height * value.width, value.channels), (channels, 1)]
        add_gather(plan, plan.unique_name(f"{name}_inputs"), value, picture, axes, group * channels)
        part, own = plan.new(output.height, output.width, size), slice(group * size, (group + 1) * size)
        fields = _walk(plan, operator, picture) | output_fields(plan, part, operator)
        scaling, own_name = Rescaling(multiplier[own], shift[own], is_fast=is_fast), plan.unique_name(f"{name}_group")
        plan.steps.append(conv_step(own_name, picture, part, weights[own], bias[own], scaling, fields))
        plan.steps.append(copy_channels(plan.unique_name(f"{name}_outputs"), part, output, group * size))


def _walk(plan: Plan, operator: Operator, value: Value, pooling: Operator | None = None) -> dict[str, int]:
    around = borders(plan, operator, kernel_sides(plan.network, operator))
    return walk(value, strides(operator), around, plan.tensor(operator.inputs[0]).zero_point, pooling)


def _pooling_behind(plan: Plan, operator: Operator) -> Operator | None:
    """The maximum pooling that is the only reader of a convolution, if a tile holds its window."""
    readers = plan.readers(operator.outputs[0])
    if len(readers) != 1 or readers[0].kind != "MAX_POOL_2D" or operator.outputs[0] == plan.network.output:
        return None
    options = readers[0].options
    is_small = options["filterHeight"] * options["filterWidth"] <= _POOLED
    return readers[0] if is_small and options["padding"] != SAME else None
