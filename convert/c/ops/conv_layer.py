"""The step of a convolution or a dense layer, and its weights as the kernels read them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from convert.c.cpus import either, only
from convert.c.fixed_point import LEAST
from convert.c.initializers import array
from convert.c.ops.helium import helium_scratch_bytes, helium_weights
from convert.c.ops.layer import BLOCK, Layer, whole_blocks
from convert.c.ops.packed import PACKED, packed_weights
from convert.c.ops.walk import band_bytes, bands, blocks_at_once, long_rows, rows_read, rows_together
from convert.c.ops.wide import eights, wide_weights
from convert.c.rounding import Reals
from convert.c.step import Bytes, Ints, Reach, Share, Value
from convert.c.tiles import RULE, Choices, Tile, chosen

_GROUP = 4  # as in kernels/conv.h
_OVERREAD = 64  # bytes that kernels read beyond a band
_LANES = 64  # channels, at most, that RISC-V vectors have at once


@dataclass(frozen=True, kw_only=True)
class Conv(Layer):
    """A convolution or a dense layer, perhaps with the maximum pooling behind it."""

    kernel: ClassVar[str] = "conv"
    unsigned_bias: Ints  # for inputs plus 128
    few_weights: npt.NDArray[np.int16] | None  # where a kernel's row is few bytes
    wide_weights: Bytes | None  # where it is many
    helium_weights: Bytes  # in place of the others
    choices: Choices  # of tiles
    packed_weights: Bytes | None = None  # where all fit in 4 bits
    scales: Reals | None = None  # of a dense layer that no multiplier of 31 bits does exactly

    @property
    def defines(self) -> Sequence[str]:
        """What kernels need for packed weights."""
        return () if self.packed_weights is None else (PACKED,)

    def weights_text(self) -> str:
        """C of the weights, for Helium in an order of their own; where they are packed, of both forms."""
        text = super().weights_text()
        own = array("int8_t", f"{self.name}_weights", self.helium_weights)
        whole = either("TARGET_HELIUM", own, text) if self.is_fast else text
        if self.packed_weights is None:
            return whole
        packed = array("int8_t", f"{self.name}_packed_weights", self.packed_weights)
        return only("HAS_WHOLE_WEIGHTS", whole) + only("HAS_PACKED_WEIGHTS", packed)

    @property
    def constant_bytes(self) -> int:
        """Bytes of weights, biases, multipliers and shifts on a microcontroller."""
        saved = 0 if self.packed_weights is None else self.weights.nbytes - self.packed_weights.nbytes
        return super().constant_bytes - saved

    def more_constants(self) -> Iterator[str]:
        """What some CPUs and some layers need."""
        yield only("TARGET_X86", array("int32_t", f"{self.name}_unsigned_bias", self.unsigned_bias))
        if self.few_weights is not None:
            yield only("TARGET_NEON", array("int16_t", f"{self.name}_few_weights", self.few_weights))
        if self.wide_weights is not None:
            yield only("TARGET_NEON", array("int8_t", f"{self.name}_wide_weights", self.wide_weights))
        if self.scales is not None:
            yield array("double", f"{self.name}_scales", self.scales)

    def pointers(self) -> dict[str, str]:
        """Fields of the struct that point to constants."""
        pointers = super().pointers() | {"unsigned_bias": f"UNSIGNED_BIAS({self.name})"}
        if self.few_weights is not None:
            pointers["few_weights"] = f"FEW_WEIGHTS({self.name})"
        if self.wide_weights is not None:
            pointers["wide_weights"] = f"WIDE_WEIGHTS({self.name})"
        if self.packed_weights is not None:
            pointers["weights"] = self._whole
            pointers["packed_weights"] = f"PACKED_WEIGHTS({self.name})"
        if self.scales is not None:
            pointers["scales"] = f"{self.name}_scales"
        return pointers

    @property
    def _whole(self) -> str:
        """The weights of a byte each, in C."""
        return f"{self.name}_weights" if self.packed_weights is None else f"WHOLE_WEIGHTS({self.name})"

    def share(self, function: str = "") -> Share | None:
        """Rows; of a dense layer blocks."""
        if self.fields["dense"]:
            return self._share_of_blocks(function)
        if self.fields["padded"]:
            return self.share_of_rows(function, self.fields["step_y"] // self.fields["row"], rows_read(self.fields))
        return self.share_of_rows(function, 0, rows_read(self.fields), start=self.fields["step_y"])

    def _share_of_blocks(self, function: str) -> Share | None:
        """As many blocks at once as divide them all: the kernel's loops keep their lengths."""
        blocks, channels = self.fields["blocks"], self.fields["channels"]
        count = max(count for count in range(1, 5) if blocks % count == 0)
        if self.scales is not None or count < 3 or blocks < 2 * count:
            return None
        size = count * BLOCK
        changes = [f"{field} += first * {size}" for field in ("bias", "unsigned_bias", "multiplier", "shift")]
        changes += [f"weights += first * (int)(sizeof {self._whole} / {blocks // count})", f"blocks = {count}"]
        if self.packed_weights is not None:
            changes += [f"packed_weights += first * {count * self.weights[0].size // 2}"]
        changes += [f"channels = {channels} - first * {size} < {size} ? {channels} - first * {size} : {size}"]
        (value,) = self.inputs
        lines = self.part(function, changes, value.pointer, f"{self.output.pointer} + first * {size}")
        loop = ["for (; first < last; first++) {", *(f"    {line}" for line in lines), "}"]
        everything = Reach(0, behind=value.size)
        return Share(blocks // count, size, (everything,), loop)

    @property
    def tile_choices(self) -> Choices:
        """Rows that are put together, a band, blocks."""
        return self.choices

    def scratch_bytes(self, macro: str) -> int:
        """A copy of a band: of 16 bits for AVX2, elsewhere only where there is a border; weights in another order."""
        if not macro:
            return self._windows_bytes()
        size = band_bytes(self.fields) + _OVERREAD
        if macro == "TARGET_DSP":
            return self._expanded_bytes()
        if macro == "TARGET_HELIUM":
            return helium_scratch_bytes(self.fields)
        if macro == "TARGET_X86":
            return 2 * size + self._paired_bytes()
        return size * self.fields["padded"] + self._ordered_bytes(macro)

    def _windows_bytes(self) -> int:
        """Bytes under the kernel at each position of a window, where there is a border."""
        fields = self.fields
        return fields["padded"] * fields["window"] * fields["kernel_height"] * fields["groups"] * _GROUP

    def _expanded_bytes(self) -> int:
        """Bytes of two rows of a kernel, then all of a window's positions with each byte as a half of a word."""
        fields = self.fields
        row = fields["groups"] * _GROUP
        return 0 if fields["dense"] else 2 * row + 4 * row * fields["kernel_height"] * -(-fields["window"] // 2)

    def _paired_bytes(self) -> int:
        """Weights of a block in 16 bits, unless there is one position alone: see is_one_avx2."""
        fields = self.fields
        is_one = fields["width"] * fields["window"] == 1 and fields["input_height"] == fields["kernel_height"]
        return 0 if is_one and not fields["padded"] else 2 * self.weights[0].size

    def _ordered_bytes(self, macro: str) -> int:
        """Weights of as many channels as RISC-V vectors hold; of a block with its bias, for products of matrices."""
        rows = self.fields["kernel_height"] * BLOCK
        if macro == "TARGET_RVV":
            return rows * self.fields["groups"] * _GROUP * _LANES // BLOCK
        return rows * -(-self.fields["groups"] // 2) * 2 * _GROUP + 3 * _OVERREAD if macro == "TARGET_NEON" else 0


@dataclass(frozen=True)
class Rescaling:
    """How the sums of a layer become outputs: multiplier and shift of each channel, or scales."""

    multiplier: Ints
    shift: Ints
    scales: Reals | None = None
    is_fast: bool = True  # whether the kernels for a CPU's own instructions do it exactly


def conv_step(
    name: str,
    value: Value,
    output: Value,
    weights: Bytes,
    bias: Ints,
    rescaling: Rescaling,
    fields: dict[str, int],
    tile: Tile = RULE,
) -> Conv:
    """The step of a convolution, weights (outputs, height, width, channels).

    Raises:
        EdgecnnError: the tile does not fit.
    """
    _, kernel_height, kernel_width, channels = weights.shape
    packed, few, row = _packed(weights), _few(weights), kernel_width * channels
    wide = None if fields.get("dense") else wide_weights(weights)
    shape = {"blocks": len(packed), "kernel_height": kernel_height, "groups": packed.shape[2]}
    shape |= {"pairs": -(-row // 2)}
    shape |= {"taps": 0 if few is None else row, "eights": 0 if wide is None else eights(row)}
    steps = (fields["position_y"], fields["position_x"], fields["window"])
    is_pointwise = (kernel_height, kernel_width, value.width) == (1, 1, output.width)
    if is_pointwise and steps == (value.row, channels, 1) and not fields["padded"]:
        together = rows_together(fields, output)
        fields = fields | long_rows(fields, output, tile.rows if tile.rows in together else together[0])
    else:
        together = [1]
    shape |= {"dense": 0} | fields
    choices = {"rows": together, "band": bands(shape), "blocks": blocks_at_once(len(packed))}
    numbers = chosen(tile, choices, name)
    shape |= {"band": numbers["band"], "blocks_at_once": numbers["blocks"]}
    unsigned = bias - 128 * weights.sum(axis=(1, 2, 3), dtype=np.int32)
    return Conv(
        name=name,
        inputs=(value,),
        output=output,
        weights=packed,
        bias=whole_blocks(bias),
        multiplier=whole_blocks(rescaling.multiplier),
        shift=whole_blocks(rescaling.shift),
        scales=rescaling.scales,
        unsigned_bias=whole_blocks(unsigned),
        few_weights=few,
        packed_weights=packed_weights(weights),
        wide_weights=wide,
        helium_weights=helium_weights(weights),
        fields=shape,
        choices=choices,
        multiply_accumulates=output.height * output.width * fields["window"] * weights.size,
        is_fast=rescaling.is_fast and bool((weights > LEAST).all()),
    )


def _packed(weights: Bytes) -> Bytes:
    """Weights as the kernels read them, (blocks, kernel height, groups of a row, 16, 4)."""
    outputs, height, width, channels = weights.shape
    groups, blocks = -(-width * channels // _GROUP), -(-outputs // BLOCK)
    padded = np.zeros((blocks * BLOCK, height, groups * _GROUP), np.int8)
    padded[:outputs, :, : width * channels] = weights.reshape(outputs, height, width * channels)
    return padded.reshape(blocks, BLOCK, height, groups, _GROUP).transpose(0, 2, 3, 1, 4)


def _few(weights: Bytes) -> npt.NDArray[np.int16] | None:
    """Weights by the byte, (blocks * 2, kernel height, bytes of a row, 8), where groups of four would waste many."""
    outputs, height, width, channels = weights.shape
    taps, blocks = width * channels, -(-outputs // BLOCK)
    if taps > 8 or taps % _GROUP == 0:
        return None
    padded = np.zeros((blocks * BLOCK, height, taps), np.int16)
    padded[:outputs] = weights.reshape(outputs, height, taps)
    return padded.reshape(blocks * 2, 8, height, taps).transpose(0, 2, 3, 1)
