"""What the depthwise kernels for x86 take, and the scratch that they want: the sizes of kernels/depthwise_*.h."""

from collections.abc import Mapping

from convert.c.cpus import Cpu

MACROS = ("TARGET_X86", "TARGET_AVXVNNI")
_CHUNKS = (64, 32)  # bytes of a row of outputs that AVX-512 and AVX-VNNI compute at once
_NEAR = 24_576  # bytes of the rows that AVX2 widens at once
_ROWS, _TAPS = 16, 64  # of a kernel, at most, for both and for AVX2


def takes(fields: Mapping[str, int], cpu: Cpu) -> bool:
    """Whether the kernel for a CPU is written for such a layer."""
    channels = fields["channels"]
    if cpu.name == "avx2":
        pairs = channels == 8 and fields["stride_x"] == 1 and fields["width"] > 1
        return (channels >= 16 or pairs) and fields["kernel_height"] * fields["kernel_width"] <= _TAPS
    return channels % 4 == 0 and fields["kernel_height"] <= _ROWS


def scratch_bytes(fields: Mapping[str, int]) -> int:
    """Bytes for the kernel that wants most."""
    return max(*(_spread_bytes(fields, chunk) for chunk in _CHUNKS), _widened_bytes(fields)) + max(_CHUNKS)


def _spread_bytes(fields: Mapping[str, int], chunk: int) -> int:
    """Of depthwise_avx512vnni.h and depthwise_avxvnni.h: weights in their order, rows spread, a row in parts."""
    channels, taps = fields["channels"], fields["kernel_height"] * fields["groups"]
    row = fields["width"] * channels
    orders = channels // min(channels & -channels, chunk) * (chunk * (4 + 4 * 4 + 4 * taps))
    extra = (fields["kernel_width"] - 1) // fields["stride_x"] + 1
    parts = fields["stride_x"] * (_whole(row + extra * channels, chunk) + chunk)
    return orders + 4 * taps * _whole(row, chunk) + parts


def _whole(size: int, chunk: int) -> int:
    return -(-size // chunk) * chunk


def _widened_bytes(fields: Mapping[str, int]) -> int:
    """Of depthwise_avx2.h: widened rows."""
    read = (fields["width"] - 1) * fields["stride_x"] + fields["kernel_width"]
    row = 2 * max(read, fields["left"] + fields["input_width"]) * fields["channels"]
    rows = (fields["height"] - 1) * fields["stride_y"] + fields["kernel_height"]
    return row * min(rows, max(_NEAR // row, fields["kernel_height"]))
