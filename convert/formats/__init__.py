"""The formats that models are converted to: a file for each, and a row of `FORMATS`.

To add a format, write its file with the three functions of `Format`, a row here, the rows of its quantizations in
`convert.variant`, and a command, as `convert/tflite.py`. On the device it needs an engine that runs it
(`edgecnn.engines`) and a place for the manifest in its files (`edgecnn.modelfile`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from convert.contents import Contents, LayerOutput
from convert.formats import onnx, onnx_graph, onnx_pixels, tflite, tflite_graph
from convert.parent import Parent
from convert.variant import Variant


@dataclass(frozen=True)
class Format:
    """What the converter does to, and knows of, one format."""

    convert: Callable[[Parent, Variant], bytes]  # Keras -> bytes, without a manifest; raises whatever a tool raises
    contents: Callable[[bytes], Contents]  # counts operators and parameters
    layer_outputs: Callable[[Parent, bytes, npt.NDArray[np.uint8]], Iterator[LayerOutput]]  # beside the float parent's
    tools: tuple[str, ...]  # modules whose versions the manifest keeps
    takes_raw_pixels: bool  # their scale is inside the file
    merge_pixel_scale: Callable[[bytes], bytes | None] | None = None  # the rewrite PIXELS; None where it cannot apply


FORMATS = {
    "tflite": Format(
        tflite.convert, tflite_graph.contents, tflite.layer_outputs, ("tensorflow", "keras"), takes_raw_pixels=False
    ),
    "onnx": Format(
        onnx.convert,
        onnx_graph.contents,
        onnx.layer_outputs,
        ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime"),
        takes_raw_pixels=True,
        merge_pixel_scale=onnx_pixels.merge_pixel_scale,
    ),
}
