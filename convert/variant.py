"""A way to export: format, quantization, rewrites.

The form `edge` is a fixed rule, so that a conversion gives the same bytes everywhere. It takes what was best by
`python -m benchmarks.latency` on x86-64 and by the instructions that `python -m benchmarks.arm` counts on boards: int8
kernels round input channels up, and gain from folding the first convolution, over patches more than over blocks; float
models gain from the crop alone. Other forms are there for `edgecnn tune` to choose among on the device.
"""

from collections.abc import Callable
from dataclasses import dataclass

from convert.parent import Parent

NONE, EDGE, ALL = "none", "edge", "all"
PIXELS = "pixels"  # the rewrite of convert.formats.onnx_pixels, of ONNX, on top of the others
FORMS: dict[str, tuple[str, ...]] = {  # rewrites of convert.rewrites, in their order; all of a form's must apply
    "crop": ("crop",),
    "patches": ("patches",),
    "blocks": ("blocks",),
    "crop_patches": ("crop", "patches"),
    "crop_blocks": ("crop", "blocks"),
}
_FOLDED = (("tflite", "int8"), ("tflite", "int8-float-io"), ("onnx", "int8"))


@dataclass(frozen=True)
class Variant:
    """One way to export: the format, the quantization, and the function that makes the bytes."""

    format: str
    quantize: str
    convert: Callable[[Parent], bytes]
    batch: int | None = 1  # None: left open
    raw: bool = False  # the file takes raw pixels: their scale is inside it
    kept: tuple[str, ...] = ()  # Keras layers that stay in float
    optimize: str = NONE  # or EDGE

    @property
    def file_name(self) -> str:
        """What the file is called where the user does not say."""
        kind = "float32" if self.quantize == "none" else self.quantize.replace("-", "_")
        batch = "" if self.batch == 1 else f"_batch{self.batch or 'any'}"
        return f"model_{kind}{batch}.{self.format}"


def edge_rewrites(model_format: str, quantize: str) -> list[tuple[str, ...]]:
    """The rule `edge`: the rewrites to try, the first that applies and is proved equal being taken."""
    folded = [FORMS["crop_patches"], FORMS["patches"]] if (model_format, quantize) in _FOLDED else []
    return [*folded, FORMS["crop"]]
