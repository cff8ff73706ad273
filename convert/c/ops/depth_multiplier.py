"""Depthwise convolutions that make several channels of each.

A band of rows of the input is copied, each channel as often as it has outputs: then it is a convolution like others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from convert.c.ops.layer import Layer
from convert.c.ops.windows import row_reach
from convert.c.step import Buffer, Share, Step, Value

BAND = 4096  # bytes, unless the rows of one output take more


@dataclass(frozen=True, kw_only=True)
class Repeat(Step):
    """A copy of channels, each several times."""

    kernel: ClassVar[str] = "repeat"


@dataclass(frozen=True, kw_only=True)
class DepthMultiplier(Step):
    """A depthwise convolution with a copy of its input."""

    kernel: ClassVar[str] = ""
    depthwise: Layer  # it reads the copy

    @property
    def parts(self) -> tuple[Step, ...]:
        """The copy and the convolution."""
        return Repeat(name=self.name, inputs=self.inputs, output=self.band), self.depthwise

    @property
    def band(self) -> Value:
        """The copy."""
        return self.depthwise.inputs[0]

    @property
    def temporaries(self) -> Sequence[Value]:
        """The copy."""
        return (self.band,)

    def constants(self) -> Iterator[str]:
        """C of the convolution's."""
        return self.depthwise.constants()

    def share(self, *functions: str) -> Share:
        """Rows, a band at a time."""
        fields, (value,), band = self.depthwise.fields, self.inputs, self.band
        repeat, convolve = functions or ("", "")
        stride, rows, top, height = fields["stride_y"], fields["kernel_height"], fields["top"], value.height
        at_once, times = _outputs(band.buffer.size // band.row, fields), self.output.channels // value.channels
        changes = ["height = stop - row", "top = begin - above", "input_height = end - begin"]
        target = f"{self.output.pointer} + row * {self.output.row}"
        lines = [
            f"const int stop = row + {at_once} < last ? row + {at_once} : last;",
            f"const int above = row * {stride} - {top}, below = above + (stop - row - 1) * {stride} + {rows};",
            f"const int begin = clamp(above, 0, {height}), end = clamp(below, begin, {height});",
            f"{repeat}({value.pointer} + begin * {value.row}, {band.pointer}, (end - begin) * {value.row}, {times});",
            *self.depthwise.part(convolve, changes, band.pointer, target),
        ]
        loop = [f"for (int row = first; row < last; row += {at_once}) {{", *(f"    {line}" for line in lines), "}"]
        return Share(self.output.height, self.output.row, (row_reach(value.row, stride, rows, top),), loop)

    @property
    def constant_bytes(self) -> int:
        """Bytes of the convolution's."""
        return self.depthwise.constant_bytes

    @property
    def products(self) -> int:
        """Multiply-accumulates."""
        return self.depthwise.products

    def scratch_bytes(self, macro: str) -> int:
        """Bytes for the convolution."""
        return self.depthwise.scratch_bytes(macro)


def band_of(value: Value, output: Value, fields: Mapping[str, int]) -> Value:
    """Where the copy of as many rows lies as some outputs read.

    Args:
        value: the input.
        output: of the convolution.
        fields: of `struct depthwise`.
    """
    row = value.width * output.channels
    rows = max(fields["kernel_height"], min(BAND // row, value.height))
    rows = (_outputs(rows, fields) - 1) * fields["stride_y"] + fields["kernel_height"]
    return Value(Buffer(rows * row), value.height, value.width, output.channels)


def _outputs(rows: int, fields: Mapping[str, int]) -> int:
    """Rows of outputs that so many of the input give."""
    return (rows - fields["kernel_height"]) // fields["stride_y"] + 1
