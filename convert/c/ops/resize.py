"""RESIZE_NEAREST_NEIGHBOR, RESIZE_BILINEAR: a picture of another size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from convert.c.initializers import array
from convert.c.network import Operator
from convert.c.operators import lowers
from convert.c.plan import Plan
from convert.c.step import Ints, Step
from edgecnn.errors import EdgecnnError

_ONE = 1 << 10  # parts of a pixel


@dataclass(frozen=True, kw_only=True)
class Nearest(Step):
    """A copy of pixels; rows and columns are bytes from the input's beginning."""

    kernel: ClassVar[str] = "nearest"
    rows: Ints
    columns: Ints

    def constants(self) -> Iterator[str]:
        """C of the tables."""
        yield array("int32_t", f"{self.name}_rows", self.rows)
        yield array("int32_t", f"{self.name}_columns", self.columns)

    def parameters(self) -> Sequence[object]:
        """Sides and tables."""
        sides = (self.output.height, self.output.width, self.output.channels)
        return *sides, f"{self.name}_rows", f"{self.name}_columns"

    @property
    def constant_bytes(self) -> int:
        """Bytes of the tables."""
        return self.rows.nbytes + self.columns.nbytes


@dataclass(frozen=True, kw_only=True)
class Bilinear(Nearest):
    """Means of four pixels; a row of the tables is where the first lies, where the second, and parts of the latter."""

    kernel: ClassVar[str] = "bilinear"


@lowers("RESIZE_NEAREST_NEIGHBOR")
def nearest(plan: Plan, operator: Operator) -> None:
    """The nearest pixel. Source: GetNearestNeighbor, resize_nearest_neighbor.h."""
    value = plan.value(operator.inputs[0])
    output = plan.output_value(operator.outputs[0])
    rows = _nearest(operator, value.height, output.height) * value.row
    columns = _nearest(operator, value.width, output.width) * value.channels
    name = plan.name(operator)
    plan.steps.append(Nearest(name=name, inputs=(value,), output=output, rows=rows, columns=columns))


def _nearest(operator: Operator, inputs: int, outputs: int) -> Ints:
    """The nearest of so many inputs for each of so many outputs, in float32."""
    align, half = operator.options["alignCorners"], operator.options["halfPixelCenters"]
    by_corners = align and outputs > 1
    scale = np.float32(inputs - 1 if by_corners else inputs) / np.float32(outputs - 1 if by_corners else outputs)
    places = (np.arange(outputs).astype(np.float32) + np.float32(0.5 if half else 0)) * scale
    nearest = np.floor(places.astype(np.float64) + 0.5) if align else np.floor(places)
    pixels: Ints = nearest.clip(0, inputs - 1).astype(np.int32)
    return pixels


@lowers("RESIZE_BILINEAR")
def bilinear(plan: Plan, operator: Operator) -> None:
    """Means of four pixels, by integers. Source: ResizeBilinear of int8, resize_bilinear.h."""
    value = plan.value(operator.inputs[0])
    output = plan.output_value(operator.outputs[0])
    rows = _between(operator, value.height, output.height, value.row)
    columns = _between(operator, value.width, output.width, value.channels)
    name = plan.name(operator)
    plan.steps.append(Bilinear(name=name, inputs=(value,), output=output, rows=rows, columns=columns))


def _between(operator: Operator, inputs: int, outputs: int, step: int) -> Ints:
    """Of each output the two inputs that it lies between, in bytes, and how far from the first, (outputs, 3)."""
    align, half = operator.options["alignCorners"], operator.options["halfPixelCenters"]
    wide, narrow = (inputs - 1, outputs - 1) if align and outputs > 1 else (inputs, outputs)
    scale = (_ONE * wide + narrow // 2) // narrow
    places: npt.NDArray[np.int64] = np.arange(outputs) * scale + (scale // 2 - _ONE // 2 if half else 0)
    first = (np.sign(places) * (np.abs(places) // _ONE)).clip(0)
    second = ((places + _ONE - 1) // _ONE).clip(0, inputs - 1)
    if first.max() >= inputs:  # TFLite's rounded scale leads beyond the picture
        raise EdgecnnError(f"TFLite's integers cannot resize {inputs} pixels to {outputs}: C is not written for that")
    table: Ints = np.stack([first * step, second * step, places - _ONE * first], axis=1).astype(np.int32)
    return table
