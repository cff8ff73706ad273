"""What layers with weights share: sums of products, rescaled a channel."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from convert.c.cpus import Cpu
from convert.c.fixed_point import activation_range, channel_reals, multiplier
from convert.c.initializers import array, struct
from convert.c.network import Operator
from convert.c.plan import Plan
from convert.c.rounding import Wide, sums
from convert.c.step import Bytes, Ints, StructStep, Value

BLOCK = 16  # channels that kernels compute at once


@dataclass(frozen=True, kw_only=True)
class Layer(StructStep):
    """A step with weights, whose sums are rescaled a channel."""

    weights: Bytes
    bias: Ints  # less the input's zero point times the sum of the weights
    multiplier: Ints
    shift: Ints
    multiply_accumulates: int
    is_fast: bool  # whether the kernels for a CPU's own instructions are exact

    def constants(self) -> Iterator[str]:
        """C of the weights, and of what the sums become outputs by."""
        yield self.weights_text()
        yield array("int32_t", f"{self.name}_bias", self.bias)
        yield from self.more_constants()
        yield array("int32_t", f"{self.name}_multiplier", self.multiplier)
        yield array("int32_t", f"{self.name}_shift", self.shift)
        yield struct(self.kernel, self.name, self.pointers() | dict(self.fields))

    def weights_text(self) -> str:
        """C of the weights."""
        return array("int8_t", f"{self.name}_weights", self.weights)

    def more_constants(self) -> Iterator[str]:
        """C of constants that other layers have not."""
        yield from ()

    def pointers(self) -> dict[str, str]:
        """Fields of the struct that point to constants."""
        return {field: f"{self.name}_{field}" for field in ("weights", "bias", "multiplier", "shift")}

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether the kernels for a CPU's own instructions are exact."""
        return self.is_fast

    @property
    def constant_bytes(self) -> int:
        """Bytes of weights, biases, multipliers and shifts."""
        return self.weights.nbytes + 12 * len(self.bias)

    @property
    def products(self) -> int:
        """Multiply-accumulates."""
        return self.multiply_accumulates


def whole_blocks(values: Ints) -> Ints:
    """Values of channels, with zeros up to a whole number of blocks."""
    return np.pad(values, (0, -len(values) % BLOCK))


def reals(plan: Plan, operator: Operator, channels: int) -> list[float]:
    """What the sums of each output channel are multiplied by.

    Raises:
        EdgecnnError: there are not as many scales as channels, or the weights have a zero point.
    """
    picture, weights, output = (plan.tensor(place) for place in (*operator.inputs[:2], operator.outputs[0]))
    if len(weights.scales) not in (1, channels) or weights.zero_point:
        raise plan.refusal(f"has weights that are quantized otherwise than by a scale a channel, {weights.name!r}")
    return channel_reals(picture, weights, output, channels)


def multipliers(plan: Plan, operator: Operator, channels: int) -> tuple[Ints, Ints]:
    """Multiplier and shift of each output channel."""
    fixed, shifts = zip(*map(multiplier, reals(plan, operator, channels)), strict=True)
    return np.array(fixed, np.int32), np.array(shifts, np.int32)


def stored_bias(plan: Plan, operator: Operator, channels: int) -> Ints:
    """The bias as the file has it, zeros where there is none.

    Raises:
        EdgecnnError: it is not of 32 bits, or there are more or fewer than channels.
    """
    if len(operator.inputs) < 3 or operator.inputs[2] < 0:
        return np.zeros(channels, np.int32)
    bias: Ints = plan.constant(operator.inputs[2])
    if bias.dtype != np.int32 or bias.shape != (channels,):
        name = plan.tensor(operator.inputs[2]).name
        raise plan.refusal(f"has a bias that is not one of 32 bits a channel, {name!r}")
    return bias


def sums_reached(plan: Plan, operator: Operator, weights: Bytes) -> tuple[Wide, Wide]:
    """The least and the largest sum of each output channel, weights (channels, ...)."""
    return sums(weights, stored_bias(plan, operator, len(weights)), plan.tensor(operator.inputs[0]).zero_point)


def folded_bias(plan: Plan, operator: Operator, weights: Bytes) -> Ints:
    """The bias, less the input's zero point times the sum of the weights (channels, ...)."""
    total = weights.reshape(len(weights), -1).sum(axis=1, dtype=np.int32)
    bias = stored_bias(plan, operator, len(total))
    folded: Ints = bias - np.int32(plan.tensor(operator.inputs[0]).zero_point) * total
    return folded


def output_fields(plan: Plan, output: Value, operator: Operator, pooling: Operator | None = None) -> dict[str, int]:
    """The sides of an output, its zero point, and the range that fused activations leave."""
    ranges = [
        activation_range(part.options["fusedActivationFunction"], plan.tensor(part.outputs[0]))
        for part in ([operator, pooling] if pooling else [operator])
    ]
    return {
        "height": output.height,
        "width": output.width,
        "channels": output.channels,
        "zero_point": plan.tensor(operator.outputs[0]).zero_point,
        "least": max(least for least, _ in ranges),
        "most": min(most for _, most in ranges),
    }
