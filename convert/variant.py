"""A way to export: a format and how it stores numbers. Each way is a row of one table.

To add a quantization, add its row to `VARIANTS`; the file of its format (`convert/formats`) reads the row's columns.

The rule `edge` says which rewrites of the layers a row gets. It is fixed, so that a conversion gives the same bytes
everywhere. It names what was fastest by `python -m benchmarks.latency` on x86-64 and by the instructions that
`python -m benchmarks.arm` counts on boards: int8 kernels round input channels up, and gain from folding the first
convolution, over patches more than over blocks; float models gain from the crop alone. The other forms are for
`edgecnn tune`, which chooses among them on the device.
"""

from dataclasses import dataclass, replace

import numpy as np

NONE, EDGE, ALL = "none", "edge", "all"
PIXELS = "pixels"  # the rewrite of convert.formats.onnx_pixels, on top of the others
FORMS: dict[str, tuple[str, ...]] = {  # rewrites of convert.rewrites, in their order; all of a form's must apply
    "crop": ("crop",),
    "patches": ("patches",),
    "blocks": ("blocks",),
    "crop_patches": ("crop", "patches"),
    "crop_blocks": ("crop", "blocks"),
}


@dataclass(frozen=True)
class Variant:
    """A way to export: a row of `VARIANTS`, with what the options of a command change of it."""

    format: str  # of convert.formats.FORMATS
    quantize: str  # the quantization's name
    words: str  # about it, in --help
    weights: str = "float32"  # the dtype that weights are stored in
    activations: str = "float32"  # the dtype that layers compute and hand on; calibration finds the ranges of integers
    ends: str = "float32"  # the dtype of a .tflite's input and output; an .onnx takes raw pixels
    folds: bool = False  # the rule `edge` folds the first convolution
    can_keep_float: bool = False  # layers can stay in float (--keep-float)
    # Allowed between a probability and the float model's; 1 allows any. In float only rounding makes a difference: in
    # networks of 200 layers 1e-5 in float32, 5e-3 in float16.
    largest_difference: float = 1.0
    per_channel: bool = True  # a scale for each output channel of the weights, else one for each layer
    reduce_range: bool = False  # 7 bits for weights, see convert.formats.onnx_quantize
    batch: int | None = 1  # the fixed batch; None leaves it open
    kept: tuple[str, ...] = ()  # Keras layers that stay in float
    trained: bool = False  # ranges of activations are those of train.qat, not calibrated
    optimize: str = NONE  # or EDGE: which rewrites to try

    @property
    def is_integer(self) -> bool:
        """Whether layers compute on integers: an exact rewrite then leaves every output as it was, bit for bit."""
        return np.dtype(self.activations).kind in "iu"

    @property
    def edge_rewrites(self) -> list[tuple[str, ...]]:
        """The rule `edge`: the rewrites to try in this order; the first that applies and is proved equal is used."""
        return [*([FORMS["crop_patches"], FORMS["patches"]] if self.folds else []), FORMS["crop"]]

    @property
    def file_name(self) -> str:
        """The file's default name."""
        numbers = "float32" if self.quantize == "none" else self.quantize.replace("-", "_")
        batch = "" if self.batch == 1 else f"_batch{self.batch or 'any'}"
        return f"model_{numbers}{batch}.{self.format}"


# fmt: off
_ROWS = (  # a format's first row is its default
    Variant("tflite", "int8", "int8 in, within and out (default)",
            weights="int8", activations="int8", ends="int8", folds=True, can_keep_float=True),
    Variant("tflite", "int8-qat", "int8 of model_qat.keras, with the ranges of train.qat",
            weights="int8", activations="int8", ends="int8", folds=True, can_keep_float=True, trained=True),
    Variant("tflite", "int8-float-io", "int8 within, float32 in and out",
            weights="int8", activations="int8", folds=True),
    Variant("tflite", "int16x8", "int16 activations, int8 weights",
            weights="int8", activations="int16", ends="int16"),
    Variant("tflite", "dynamic", "float32, weights stored as int8",
            weights="int8"),
    Variant("tflite", "float16", "float32, weights stored as float16",
            weights="float16", largest_difference=5e-2),
    Variant("tflite", "none", "float32",
            largest_difference=1e-3),
    Variant("onnx", "none", "float32 (default)",
            largest_difference=1e-3),
    Variant("onnx", "int8", "int8 by QuantizeLinear and DequantizeLinear (static QDQ)",
            weights="int8", activations="int8", reduce_range=True, folds=True, can_keep_float=True),
    Variant("onnx", "int8-qat", "int8 of model_qat.keras, with the scales of train.qat and 8-bit weights",
            weights="int8", activations="int8", folds=True, can_keep_float=True, trained=True),
    Variant("onnx", "dynamic", "float32, weights stored in 8 bits, activations quantized while it runs",
            weights="uint8"),  # onnxruntime's ConvInteger takes no int8 weights on the CPU
    Variant("onnx", "float16", "float16 within",
            weights="float16", activations="float16", largest_difference=5e-2),
)
# fmt: on
VARIANTS = {f"{row.format}:{row.quantize}": row for row in _ROWS}
QAT_MODEL = "model_qat.keras"  # what train.qat writes
PLAIN = VARIANTS["tflite:int8"]  # without rewrites: what fast C is generated from


def for_model(variant: Variant, has_ranges: bool) -> Variant:
    """The variant, or for int8 of a model that train.qat wrote, the row with its ranges; options stay."""
    row = VARIANTS.get(f"{variant.format}:{variant.quantize}-qat") if has_ranges else None
    if row is None:
        return variant
    return replace(variant, quantize=row.quantize, trained=True, reduce_range=row.reduce_range)


def quantizations(model_format: str) -> dict[str, Variant]:
    """A format's rows of the table, by the name of the quantization."""
    return {row.quantize: row for row in VARIANTS.values() if row.format == model_format}
