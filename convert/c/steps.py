"""What generated code does, one step a function of convert/c/kernels; and where in the arena each value lies."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt

ALIGNMENT = 16  # bytes
_SLACK = 7  # bytes that kernels read beyond a value: up to eight at a time


@dataclass(eq=False)
class Buffer:
    """Bytes of the arena, from the step that writes them to the last that reads them."""

    size: int
    first: int
    last: int
    offset: int = 0


@dataclass(frozen=True)
class Value:
    """A tensor, or as much of it as anybody reads, as it lies in the arena: (height, width, channels)."""

    buffer: Buffer
    height: int
    width: int
    channels: int

    @property
    def row(self) -> int:
        """Bytes of a row."""
        return self.width * self.channels

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return self.height * self.row


Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Step:
    """A call of a kernel."""

    kernel: ClassVar[str]
    name: str
    output: Value
    inputs: tuple[Value, ...]


@dataclass(frozen=True)
class Layer(Step):
    """A step with weights, whose sums are rescaled a channel."""

    weights: Bytes
    bias: Ints
    multiplier: Ints
    shift: Ints
    fields: dict[str, int]  # of the kernel's struct
    products: int  # multiply-accumulates


@dataclass(frozen=True)
class Conv(Layer):
    """A convolution or a dense layer, perhaps with the maximum pooling behind it."""

    kernel: ClassVar[str] = "conv"
    unsigned_bias: Ints = field(default_factory=lambda: np.zeros(0, np.int32))
    few_weights: npt.NDArray[np.int16] | None = None  # where a kernel's row is few bytes
    fast: bool = True  # whether the kernels for a CPU's own instructions do it exactly
    scales: npt.NDArray[np.float64] | None = None  # of a dense layer that no multiplier of 31 bits does exactly


@dataclass(frozen=True)
class Depthwise(Layer):
    """A depthwise convolution."""

    kernel: ClassVar[str] = "depthwise"


@dataclass(frozen=True)
class Pool(Step):
    """Maximum or average pooling."""

    kernel: ClassVar[str] = "pool"
    fields: dict[str, int]
    average: bool


@dataclass(frozen=True)
class Add(Step):
    """The sum of two values."""

    kernel: ClassVar[str] = "add"
    fields: dict[str, int]


@dataclass(frozen=True)
class Maximum(Step):
    """The larger of two values."""

    kernel: ClassVar[str] = "maximum"


@dataclass(frozen=True)
class Mean(Step):
    """The mean over height and width."""

    kernel: ClassVar[str] = "mean"
    input_zero_point: int
    zero_point: int
    multiplier: int
    shift: int


@dataclass(frozen=True)
class Pad(Step):
    """A border of one value around another."""

    kernel: ClassVar[str] = "pad"
    top: int
    bottom: int
    left: int
    right: int
    value: int


@dataclass(frozen=True)
class Gather(Step):
    """A part of a value, or all of it in another order."""

    kernel: ClassVar[str] = "gather"
    start: int
    sides: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Softmax(Step):
    """Probabilities from logits."""

    kernel: ClassVar[str] = "softmax"
    powers: npt.NDArray[np.float32]
    scale: float
    zero_point: int


def place(buffers: list[Buffer]) -> int:
    """Give each buffer its offset, so that none overlaps another that lives at the same time; the largest first.

    Returns:
        The bytes of the arena.
    """
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda each: -each.size):
        others = [each for each in placed if each.first <= buffer.last and buffer.first <= each.last]
        buffer.offset = 0
        for other in sorted(others, key=lambda each: each.offset):
            if buffer.offset + _room(buffer) <= other.offset:
                break
            buffer.offset = max(buffer.offset, other.offset + _room(other))
        placed.append(buffer)
    return max(each.offset + _room(each) for each in placed)


def _room(buffer: Buffer) -> int:
    return -(-(buffer.size + _SLACK) // ALIGNMENT) * ALIGNMENT
