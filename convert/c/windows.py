"""Steps that move a window over a picture: convolutions and dense layers, pooling, and the padding before them."""

import numpy as np
import numpy.typing as npt

from convert.c.graph import Op
from convert.c.plan import SAME, Plan, reach
from convert.c.quantize import LEAST, activation_range, channel_reals, multiplier
from convert.c.rounding import Reals, Wide, dense_multipliers, fit_32_bits, sums, vectors_are_exact
from convert.c.steps import Bytes, Conv, Depthwise, Ints, Pad, Pool, Value

_BLOCK, _GROUP, _TILE = 16, 4, 4  # as in kernels/conv.h


def conv(made: Plan, op: Op) -> list[Op]:
    """A convolution, with the maximum pooling that alone reads it."""
    weights = made.constant(op.inputs[1])
    _undilated(made, op)
    name = made.name(op.outputs[0], op.kind)
    taken = _padded(made, op, weights.shape[1:3], name)
    pooling = _pooling_behind(made, op) if fit_32_bits(*_sums(made, op, weights)) else None
    return _convolve(made, op, taken, weights, name, (op.options["strideH"], op.options["strideW"]), pooling)


def dense(made: Plan, op: Op) -> list[Op]:
    """A dense layer: a convolution of one position."""
    weights = made.constant(op.inputs[1])
    taken = made.value(op.inputs[0])
    if taken.size != weights.shape[1]:
        raise made.refusal("has a dense layer over more than one row")
    flat = Value(taken.buffer, 1, 1, taken.size)
    name = made.name(op.outputs[0], op.kind)
    return _convolve(made, op, flat, weights[:, np.newaxis, np.newaxis, :], name, (1, 1), None)


def _convolve(
    made: Plan, op: Op, taken: Value, weights: Bytes, name: str, strides: tuple[int, int], pooling: Op | None
) -> list[Op]:
    """A convolution over a value that is padded already."""
    outputs, kernel_height, kernel_width, channels = weights.shape
    if channels != taken.channels:
        raise made.refusal(f"has a grouped convolution, {name!r}")
    output = made.make((pooling or op).outputs[0])
    walk = _walk(taken, output, strides, pooling)
    packed, few = _packed(weights), _few(weights)
    is_dense = op.kind == "FULLY_CONNECTED"
    fields = {
        "blocks": len(packed),
        "kernel_height": kernel_height,
        "groups": packed.shape[2],
        "taps": kernel_width * channels if few is not None else 0,
        "dense": int(is_dense),
        **walk,
        **_ends(made, output, op, pooling),
    }
    reach = _sums(made, op, weights)
    multipliers, shifts = _multipliers(made, op, outputs)
    scales = None
    if is_dense:
        multipliers, shifts, scales = _rounded_once(made, op, multipliers, shifts, reach)
    fast = bool((weights > LEAST).all()) and (is_dense or vectors_are_exact(*reach, multipliers, shifts))
    bias = _bias(made, op, weights)
    unsigned = bias - 128 * weights.sum(axis=(1, 2, 3), dtype=np.int32)
    products = output.height * output.width * (walk["positions"] if pooling else 1) * weights.size
    scaled = (_rounded_up(bias), _rounded_up(multipliers), _rounded_up(shifts), fields, products)
    made.steps.append(Conv(name, output, (taken,), packed, *scaled, _rounded_up(unsigned), few, fast, scales))
    return [op, pooling or op]


def _reals(made: Plan, op: Op, channels: int) -> list[float]:
    """What the sums of each output channel are multiplied by.

    Raises:
        EdgecnnError: there are not as many scales as channels, or the weights have a zero point.
    """
    taken, weights, given = (made.tensor(each) for each in (*op.inputs[:2], op.outputs[0]))
    if len(weights.scales) not in (1, channels) or weights.zero_point:
        raise made.refusal(f"has weights that are quantized otherwise than by a scale a channel, {weights.name!r}")
    return channel_reals(taken, weights, given, channels)


def _multipliers(made: Plan, op: Op, channels: int) -> tuple[Ints, Ints]:
    """Multiplier and shift of each output channel."""
    multipliers, shifts = zip(*map(multiplier, _reals(made, op, channels)), strict=True)
    return np.array(multipliers, np.int32), np.array(shifts, np.int32)


def _rounded_once(
    made: Plan, op: Op, multipliers: Ints, shifts: Ints, reach: tuple[Wide, Wide]
) -> tuple[Ints, Ints, Reals | None]:
    """Multipliers and shifts of a dense layer that are exact for all of its sums; where there are none, scales too."""
    reals = np.array(_reals(made, op, len(multipliers)))
    if (np.maximum(np.abs(reach[0]), np.abs(reach[1])).clip(max=2**31) * reals >= 2**31 - 128).any():
        raise made.refusal(f"has outputs beyond 32 bits before they are clamped, {made.tensor(op.outputs[0]).name!r}")
    exact = dense_multipliers(reals.tolist(), *reach)
    return (*exact, None) if exact else (multipliers, shifts, reals)


def _sums(made: Plan, op: Op, weights: Bytes) -> tuple[Wide, Wide]:
    """The least and the largest sum of each output channel."""
    return sums(weights, _stored_bias(made, op, len(weights)), made.tensor(op.inputs[0]).zero_point)


def _walk(taken: Value, output: Value, strides: tuple[int, int], pooling: Op | None) -> dict[str, int]:
    """How a convolution goes over its input: which positions at once, and the bytes from one to the next."""
    down, across = strides[0] * taken.row, strides[1] * taken.channels
    if pooling:
        tall, wide = pooling.options["filterHeight"], pooling.options["filterWidth"]
        steps = (down * pooling.options["strideH"], across * pooling.options["strideW"])
    else:
        tall, wide, steps = 1, _tile(output.width), (down, across)
    return {
        "row": taken.row,
        "input_size": taken.size,
        "step_y": steps[0],
        "step_x": steps[1],
        "positions": tall * wide,
        "positions_across": wide,
        "position_y": down,
        "position_x": across,
        "pooled": int(pooling is not None),
    }


def _ends(made: Plan, output: Value, op: Op, pooling: Op | None = None) -> dict[str, int]:
    """The sides of an output, its zero point, and the range that fused activations leave."""
    ranges = [
        activation_range(each.options["fusedActivationFunction"], made.tensor(each.outputs[0]))
        for each in ([op, pooling] if pooling else [op])
    ]
    return {
        "height": output.height,
        "width": output.width,
        "channels": output.channels,
        "zero_point": made.tensor(op.outputs[0]).zero_point,
        "least": max(least for least, _ in ranges),
        "most": min(most for _, most in ranges),
    }


def _bias(made: Plan, op: Op, weights: Bytes, axes: tuple[int, ...] = (1, 2, 3)) -> Ints:
    """The bias, less the input's zero point times the sum of the weights."""
    total = weights.sum(axis=axes, dtype=np.int32)
    bias = _stored_bias(made, op, len(total))
    less: Ints = bias - np.int32(made.tensor(op.inputs[0]).zero_point) * total
    return less


def _stored_bias(made: Plan, op: Op, channels: int) -> Ints:
    """The bias as the file has it, zeros where there is none.

    Raises:
        EdgecnnError: it is not of 32 bits, or there are more or fewer than channels.
    """
    if len(op.inputs) < 3 or op.inputs[2] < 0:
        return np.zeros(channels, np.int32)
    bias: Ints = made.constant(op.inputs[2])
    if bias.dtype != np.int32 or bias.shape != (channels,):
        raise made.refusal(f"has a bias that is not one of 32 bits a channel, {made.tensor(op.inputs[2]).name!r}")
    return bias


def _packed(weights: Bytes) -> Bytes:
    """Weights as the kernels read them, (blocks, kernel height, groups of a row, 16, 4)."""
    outputs, height, width, channels = weights.shape
    groups, blocks = -(-width * channels // _GROUP), -(-outputs // _BLOCK)
    padded = np.zeros((blocks * _BLOCK, height, groups * _GROUP), np.int8)
    padded[:outputs, :, : width * channels] = weights.reshape(outputs, height, width * channels)
    return padded.reshape(blocks, _BLOCK, height, groups, _GROUP).transpose(0, 2, 3, 1, 4)


def _few(weights: Bytes) -> npt.NDArray[np.int16] | None:
    """Weights by the byte, (blocks * 2, kernel height, bytes of a row, 8), where groups of four would waste many."""
    outputs, height, width, channels = weights.shape
    taps, blocks = width * channels, -(-outputs // _BLOCK)
    if taps > 8 or taps % _GROUP == 0:
        return None
    padded = np.zeros((blocks * _BLOCK, height, taps), np.int16)
    padded[:outputs] = weights.reshape(outputs, height, taps)
    return padded.reshape(blocks * 2, 8, height, taps).transpose(0, 2, 3, 1)


def _rounded_up(values: Ints) -> Ints:
    """Values of channels, with zeros up to a whole number of blocks."""
    return np.pad(values, (0, -len(values) % _BLOCK))


def _tile(width: int) -> int:
    """How many neighbours to compute at once: the fewest loads and wasted positions in a row."""
    return min(range(min(width, _TILE), 0, -1), key=lambda side: -(-width // side) * (side + 1))


def _pooling_behind(made: Plan, op: Op) -> Op | None:
    """The maximum pooling that is the only reader of a convolution, if a tile holds its window."""
    readers = made.readers.get(op.outputs[0], [])
    if len(readers) != 1 or readers[0].kind != "MAX_POOL_2D" or op.outputs[0] == made.graph.output:
        return None
    options = readers[0].options
    small = options["filterHeight"] * options["filterWidth"] <= _TILE
    return readers[0] if small and options["padding"] != SAME else None


def _undilated(made: Plan, op: Op) -> None:
    if op.options["dilationHFactor"] != 1 or op.options["dilationWFactor"] != 1:
        raise made.refusal(f"has a dilated convolution, {made.tensor(op.outputs[0]).name!r}")


def _borders(made: Plan, op: Op, kernel: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Rows and columns of padding: top, bottom, left, right. Source: ComputePadding, padding.h."""
    if op.options["padding"] != SAME:
        return 0, 0, 0, 0
    taken, given = made.whole(op.inputs[0]), made.whole(op.outputs[0])
    strides = (op.options["strideH"], op.options["strideW"])
    needed = reach(given[:2], (kernel[0], kernel[1]), strides)
    tall, wide = (max(0, least - side) for least, side in zip(needed, taken[:2], strict=True))
    return tall // 2, tall - tall // 2, wide // 2, wide - wide // 2


def _padded(made: Plan, op: Op, kernel: tuple[int, ...], name: str) -> Value:
    """The input of a convolution with its padding, which a step of its own writes."""
    borders = _borders(made, op, kernel)
    if not any(borders):
        return made.value(op.inputs[0])
    return pad_step(made, op.inputs[0], borders, f"{name}_padding", None)


def pad_step(
    made: Plan, place: int, borders: tuple[int, int, int, int], name: str, output: Value | None, fill: int | None = None
) -> Value:
    """A copy of a value with borders (top, bottom, left, right) around it."""
    top, bottom, left, right = borders
    taken = made.value(place)
    output = output or made.new(top + taken.height + bottom, left + taken.width + right, taken.channels)
    value = made.tensor(place).zero_point if fill is None else fill
    channels = taken.channels
    made.steps.append(Pad(name, output, (taken,), top, bottom, left * channels, right * channels, value))
    return _at(output, len(made.steps))


def _at(value: Value, step: int) -> Value:
    """A value that a step is about to read."""
    value.buffer.last = max(value.buffer.last, step)
    return value


def depthwise(made: Plan, op: Op) -> list[Op]:
    """A depthwise convolution."""
    weights = made.constant(op.inputs[1])
    _undilated(made, op)
    name = made.name(op.outputs[0], op.kind)
    taken = _padded(made, op, weights.shape[1:3], name)
    output = made.make(op.outputs[0])
    multipliers, shifts = _multipliers(made, op, weights.shape[3])
    fields = {
        "kernel_height": weights.shape[1],
        "kernel_width": weights.shape[2],
        "row": taken.row,
        "step_y": op.options["strideH"] * taken.row,
        "step_x": op.options["strideW"] * taken.channels,
        "input_channels": taken.channels,
        **_ends(made, output, op),
    }
    bias = _bias(made, op, weights, (0, 1, 2))
    made.steps.append(
        Depthwise(
            name,
            output,
            (taken,),
            weights,
            bias,
            multipliers,
            shifts,
            fields,
            output.height * output.width * weights.size,
        )
    )
    return [op]


def pool(made: Plan, op: Op) -> list[Op]:
    """Maximum or average pooling."""
    kernel = (op.options["filterHeight"], op.options["filterWidth"])
    top, _, left, _ = _borders(made, op, kernel)
    taken = made.value(op.inputs[0])
    name, output = made.name(op.outputs[0], op.kind), made.make(op.outputs[0])
    fields = {
        "pool_height": kernel[0],
        "pool_width": kernel[1],
        "stride_y": op.options["strideH"],
        "stride_x": op.options["strideW"],
        "top": top,
        "left": left,
        "input_height": taken.height,
        "input_width": taken.width,
        **_ends(made, output, op),
    }
    made.steps.append(Pool(name, output, (taken,), fields, op.kind == "AVERAGE_POOL_2D"))
    return [op]
