"""A step of generated C: one call of a function of convert/c/kernels, with the constants that it reads."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from convert.c.cpus import Cpu
from convert.c.initializers import struct
from convert.c.tiles import Choices

Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.int8]
PART = "part"  # the struct of a share


@dataclass(eq=False)
class Buffer:
    """Bytes of the arena. Those of a value of which only a band of rows is there at a time are fewer than its own."""

    size: int
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

    @property
    def pointer(self) -> str:
        """The address, in C."""
        return f"arena + {self.buffer.offset}"

    @property
    def is_band(self) -> bool:
        """Whether only a band of its rows is there at a time."""
        return self.buffer.size < self.size

    def at_first(self, size: int) -> str:
        """The address of row `first`, in C, where rows have so many bytes; a band begins with it."""
        return self.pointer if self.is_band else f"{self.pointer} + first * {size}"


@dataclass(frozen=True)
class Reach:
    """What units `first` to `last` of an output read of an input: bytes, as far as there are any.

    They begin at first * step - before and end at last * step + behind.
    """

    step: int
    before: int = 0
    behind: int = 0


@dataclass(frozen=True)
class Share:
    """How threads share a step: the lines of C that compute the units `first` to `last` of its output, as rows are."""

    units: int
    unit: int  # bytes of the output, of the last one perhaps fewer
    reads: tuple[Reach, ...]  # of each input
    lines: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Step:
    """A call `kernel(inputs, output, parameters)`. The kernel of this name stands in kernels/KERNEL.h.

    kernels/KERNEL_CPU.h holds one for a CPU's own instructions; it is called where `is_exact_on` that CPU.
    """

    kernel: ClassVar[str]
    name: str
    inputs: tuple[Value, ...]
    output: Value

    def constants(self) -> Iterator[str]:
        """C of the constants, each named after the step."""
        yield from ()

    @property
    def defines(self) -> Sequence[str]:
        """Macros that switch parts of kernels on, each with a comment."""
        return ()

    def parameters(self) -> Sequence[object]:
        """Arguments behind the output's."""
        return ()

    def addresses(self) -> list[str]:
        """Where inputs and output are, in C."""
        return [value.pointer for value in (*self.inputs, self.output)]

    def arguments(self) -> list[object]:
        """All arguments of the call, in C."""
        return [*self.addresses(), *self.parameters()]

    def call(self, function: str) -> str:
        """The call of one of the kernel's functions."""
        return f"{function}({', '.join(map(str, self.arguments()))});"

    @property
    def parts(self) -> tuple["Step", ...]:
        """The steps that it consists of, each with a kernel."""
        return (self,)

    def share(self, function: str = "") -> Share | None:
        """How threads share the call; None if one of them computes it all."""
        return None

    @property
    def temporaries(self) -> Sequence[Value]:
        """Values that nobody else reads."""
        return ()

    def is_exact_on(self, cpu: Cpu) -> bool:
        """Whether the kernel for a CPU's own instructions gives what TFLite's reference kernel gives, for this step."""
        return True

    def overwritable(self) -> Sequence[Value]:
        """Inputs in whose place the output may lie: all kernels read each byte of them before they write that one."""
        return ()

    @property
    def constant_bytes(self) -> int:
        """Bytes of weights, biases and tables."""
        return 0

    @property
    def products(self) -> int:
        """Multiply-accumulates."""
        return 0

    @property
    def tile_choices(self) -> Choices:
        """What it can take at once, by the fields of `Tile`; nothing where there is no choice."""
        return {}

    @property
    def work(self) -> int:
        """Multiply-accumulates, or what takes as long."""
        return max(self.products, 2 * self.output.size)

    def scratch_bytes(self, macro: str) -> int:
        """Bytes that the kernels for a family of CPUs want beside the arena; `macro` is empty for the portable ones."""
        return 0


@dataclass(frozen=True, kw_only=True)
class StructStep(Step):
    """A step whose kernel reads `struct KERNEL`: `kernel(&name, inputs, output, parameters)`."""

    fields: Mapping[str, int]

    def pointers(self) -> dict[str, str]:
        """Fields of the struct that point to constants, in C."""
        return {}

    def constants(self) -> Iterator[str]:
        """C of what its fields point to, and of the struct."""
        yield from super().constants()
        yield struct(self.kernel, self.name, self.pointers() | dict(self.fields))

    def arguments(self) -> list[object]:
        """All arguments of the call, in C."""
        return [f"&{self.name}", *super().arguments()]

    def share_of_rows(self, function: str, skipped: int, reach: Reach, start: int = 0) -> Share:
        """A share of rows of the output; `height` and `top` become those of the part.

        Args:
            function: the kernel.
            skipped: rows of the input from one row of the output to the next, of an input with a border.
            reach: what it reads of the input.
            start: bytes of the input from one row of the output to the next, of an input without a border.
        """
        height = self.fields["height"]
        (value,) = self.inputs
        unit, is_beginning = self.output.size // height, value.is_band or not skipped
        changes = ["height = last - first", *([] if is_beginning else [f"top -= first * {skipped}"])]
        source = value.at_first(start) if start else value.pointer
        lines = self.part(function, changes, source, self.output.at_first(unit))
        return Share(height, unit, (reach,), lines)

    def part(self, function: str, changes: Iterable[str], source: str, output: str) -> list[str]:
        """The call for a part of the output: lines of C, with a struct of which some fields are changed."""
        ends = [f"&{PART}", source, output, *self.parameters()]
        return [
            f"struct {self.kernel} {PART} = {self.name};",
            *(f"{PART}.{change};" for change in changes),
            f"{function}({', '.join(map(str, ends))});",
        ]
