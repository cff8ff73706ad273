"""A convolution of each channel by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from convert.c.cpus import Cpu, only
from convert.c.fixed_point import LEAST
from convert.c.initializers import array
from convert.c.network import Operator
from convert.c.ops import depthwise_x86
from convert.c.ops.depth_multiplier import DepthMultiplier, band_of
from convert.c.ops.layer import (
    BLOCK,
    Layer,
    folded_bias,
    multipliers,
    output_fields,
    sums_reached,
    whole_blocks,
)
from convert.c.ops.windows import row_reach, window_fields
from convert.c.plan import Plan
from convert.c.rounding import vectors_are_exact
from convert.c.step import Bytes, Ints, Share, Value

_GROUP = 4  # taps of a row that one instruction adds
_LEAST, _TAPS = 8, 64  # channels, at least, and taps, at most, of the kernels for ARM
_LEAST_ON = {"TARGET_DSP": 4, "TARGET_HELIUM": 1}  # channels, on some
_LANES = 64  # channels, at most, that RISC-V vectors have at once
_OVERREAD = 15  # bytes that kernels read beyond the weights


@dataclass(frozen=True, kw_only=True)
class Depthwise(Layer):
    """A depthwise convolution."""

    kernel: ClassVar[str] = "depthwise"
    grouped_weights: Bytes
    unsigned_bias: Ints  # for inputs plus 128

    def more_constants(self) -> Iterator[str]:
        """What some CPUs need."""
        yield only("TARGET_DOT", array("int8_t", f"{self.name}_grouped_weights", self.grouped_weights))
        yield only("TARGET_X86", array("int32_t", f"{self.name}_unsigned_bias", self.unsigned_bias))

    def pointers(self) -> dict[str, str]:
        """Fields of the struct that point to constants."""
        some = {"grouped_weights": f"GROUPED_WEIGHTS({self.name})", "unsigned_bias": f"UNSIGNED_BIAS({self.name})"}
        return super().pointers() | some

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether the kernel for a CPU's own instructions is exact, and written for so many channels and taps."""
        channels, taps = self.fields["channels"], self.fields["kernel_height"] * self.fields["kernel_width"]
        is_x86 = cpu.macro in depthwise_x86.MACROS
        least = _LEAST_ON.get(cpu.macro or "", _LEAST)
        takes = depthwise_x86.takes(self.fields, cpu) if is_x86 else channels >= least and taps <= _TAPS
        return takes and self.is_fast

    def share(self, function: str = "") -> Share | None:
        """Rows."""
        fields, (value,) = self.fields, self.inputs
        reads = row_reach(value.row, fields["stride_y"], fields["kernel_height"], fields["top"])
        return self.share_of_rows(function, fields["stride_y"], reads)

    def scratch_bytes(self, macro: str) -> int:
        """Rows of the input as the kernels read them."""
        fields, (value,) = self.fields, self.inputs
        sizes = {
            "TARGET_X86": depthwise_x86.scratch_bytes(self.fields),
            "TARGET_NEON": -(-value.row // 16) * 16,
            "TARGET_DSP": fields["kernel_height"] * (-(-fields["kernel_width"] * value.channels // 4) * 4),
            "TARGET_HELIUM": -(-value.channels // 16) * 16,
            "TARGET_RVV": value.row + _LANES,
        }
        return sizes.get(macro, 0)


def add_depthwise(plan: Plan, operator: Operator, weights: Bytes) -> None:
    """Append the step of a depthwise convolution, weights (1, height, width, channels).

    Raises:
        EdgecnnError: the channels are no multiple of the input's.
    """
    name, value = plan.name(operator), plan.value(operator.inputs[0])
    output = plan.output_value_read(operator.outputs[0])
    fields = _window_fields(plan, operator, weights, value) | output_fields(plan, output, operator)
    has_band = output.channels > value.channels
    if output.channels % value.channels:
        raise plan.refusal(f"has a depthwise convolution of {output.channels} channels over {value.channels}, {name!r}")
    multiplier, shift = multipliers(plan, operator, weights.shape[3])
    by_channel = np.moveaxis(weights, 3, 0)
    reach = sums_reached(plan, operator, by_channel)
    bias = folded_bias(plan, operator, by_channel)
    unsigned = bias - 128 * weights.sum(axis=(0, 1, 2), dtype=np.int32)
    step = Depthwise(
        name=name,
        inputs=(band_of(value, output, fields) if has_band else value,),
        output=output,
        weights=np.append(weights, np.zeros(_OVERREAD, np.int8)),
        grouped_weights=_grouped(weights[0]),
        bias=whole_blocks(bias),
        unsigned_bias=whole_blocks(unsigned),
        multiplier=whole_blocks(multiplier),
        shift=whole_blocks(shift),
        fields=fields,
        multiply_accumulates=output.height * output.width * weights.size,
        is_fast=bool((weights > LEAST).all()) and vectors_are_exact(*reach, multiplier, shift),
    )
    plan.steps.append(DepthMultiplier(name=name, inputs=(value,), output=output, depthwise=step) if has_band else step)


def _window_fields(plan: Plan, operator: Operator, weights: Bytes, value: Value) -> dict[str, int]:
    """How the window moves over the input, and over the border of zero points around it."""
    _, kernel_height, kernel_width, _ = weights.shape
    return {
        "kernel_height": kernel_height,
        "kernel_width": kernel_width,
        "groups": -(-kernel_width // _GROUP),
        **window_fields(plan, operator, (kernel_height, kernel_width), value),
        "input_zero_point": plan.tensor(operator.inputs[0]).zero_point,
    }


def _grouped(weights: Bytes) -> Bytes:
    """Weights (height, width, channels) as (blocks, height, groups, 16, 4), with zeros where there are none."""
    height, width, channels = weights.shape
    groups, blocks = -(-width // _GROUP), -(-channels // BLOCK)
    padded = np.zeros((height, groups * _GROUP, blocks * BLOCK), np.int8)
    padded[:, :width, :channels] = weights
    return padded.reshape(height, groups, _GROUP, blocks, BLOCK).transpose(3, 0, 1, 4, 2)
