"""How a convolution goes over its input: the fields of `struct conv` that are bytes and rows."""

from collections.abc import Mapping

from convert.c.network import Operator
from convert.c.ops.windows import row_reach, strides
from convert.c.plan import Border, Sides
from convert.c.step import Reach, Value

_EVENLY = (12, 4, 2)  # rows that two, three and four threads share
_BAND, _LONG = 12_288, 4096  # bytes of the input that lie near the CPU; of rows that are put together
_MOST_BLOCKS = 4  # as in kernels/conv_avx512vnni.h


def walk(
    value: Value,
    steps: Sides = (1, 1),
    around: Border = (0, 0, 0, 0),
    zero_point: int = 0,
    pooling: Operator | None = None,
) -> dict[str, int]:
    """The fields for an input with a border of its zero point.

    Args:
        value: the input.
        steps: rows and columns from one position of the convolution to the next.
        around: rows and columns of border: top, bottom, left, right.
        zero_point: of the input.
        pooling: the maximum pooling behind the convolution.
    """
    top, _, left, right = around
    row = value.row + (left + right) * value.channels
    down, across = steps[0] * row, steps[1] * value.channels
    window, (step_y, step_x) = (1, 1), (1, 1)
    if pooling:
        window, (step_y, step_x) = (pooling.options["filterHeight"], pooling.options["filterWidth"]), strides(pooling)
    return {
        "padded": int(any(around)),
        "row": row,
        "top": top,
        "left": left * value.channels,
        "input_height": value.height,
        "input_row": value.row,
        "input_zero_point": zero_point,
        "step_y": step_y * down,
        "step_x": step_x * across,
        "window": window[0] * window[1],
        "window_across": window[1],
        "position_y": down,
        "position_x": across,
    }


def rows_together(fields: Mapping[str, int], output: Value) -> list[int]:
    """How many rows of a convolution of 1x1 can be put together: then a tile has no neighbours at a row's end.

    They stay short, and are as many as threads can share evenly. The rule is the most, which come first.
    """
    evenly = next((rows for rows in _EVENLY if output.height % rows == 0), output.height)
    heights = [height for height in range(1, output.height // evenly + 1) if output.height % (height * evenly) == 0]
    return [height for height in reversed(heights) if height == 1 or height * fields["row"] <= _LONG]


def long_rows(fields: Mapping[str, int], output: Value, times: int) -> dict[str, int]:
    """Rows of a convolution of 1x1, so many put together."""
    longer = {field: times * fields[field] for field in ("row", "input_row", "step_y", "position_y")}
    return longer | {"height": output.height // times, "width": output.width * times}


def rows_read(fields: Mapping[str, int]) -> Reach:
    """What rows of outputs read of the input, whose border is not stored."""
    step, rows = fields["step_y"] // fields["row"], band_bytes({**fields, "band": 1}) // fields["row"]
    return row_reach(fields["input_row"], step, rows, fields["top"])


def bands(fields: Mapping[str, int]) -> list[int]:
    """How many rows of outputs can be a band: by the rule as many as read no more of the input than lies near the CPU.

    Half of that and twice as many may be as well.
    """
    heights = range(1, fields["height"] + 1)
    near = max(height for height in heights if height == 1 or band_bytes({**fields, "band": height}) <= _BAND)
    return list(dict.fromkeys((near, max(1, near // 2), min(2 * near, fields["height"]))))


def blocks_at_once(blocks: int) -> list[int]:
    """How many blocks of channels AVX-512 can compute at once: by the rule as many in a pass as in others."""
    passes = -(-blocks // _MOST_BLOCKS)
    return list(dict.fromkeys((-(-blocks // passes), *range(1, min(blocks, _MOST_BLOCKS) + 1))))


def band_bytes(fields: Mapping[str, int]) -> int:
    """Bytes of the input, with its border, that a band of rows of outputs reads."""
    window_rows = (fields["window"] // fields["window_across"] - 1) * fields["position_y"]
    return (fields["band"] - 1) * fields["step_y"] + window_rows + fields["kernel_height"] * fields["row"]
