"""Export a Keras classifier to ONNX: raw uint8 pixels in, float32 unless told otherwise.

The file is checked against its Keras parent on validation images before it appears; it does not appear when it loses
more than max(1, floor(max-drop * images)) right answers, net.

Examples:
  python -m convert.onnx
  python -m convert.onnx artifacts/mnist/model.keras --quantize int8 --activation-type uint8
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convert.export import Variant
from convert.frozen import frozen, unrolled
from convert.layers import onnx_layers
from convert.names import keep_alike, make_canonical
from convert.parent import Parent, with_fixed_batch
from convert.run import run_export
from convert.survive import survived
from edgecnn.command import command, command_parser
from edgecnn.manifest import Input

if TYPE_CHECKING:
    import keras

QUANTIZATIONS = {
    "none": "float32 (default)",
    "int8": "int8 by QuantizeLinear and DequantizeLinear (static QDQ)",
    "dynamic": "float32, weights stored as int8, activations quantized as they come",
    "float16": "float16 within",
}
OPSET = 18
PIXELS = "pixels"  # the input's name
_TYPES = ("int8", "uint8")


@command
@survived
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.onnx`."""
    parser = command_parser("python -m convert.onnx", __doc__)
    choices = "; ".join(f"{name}: {words}" for name, words in QUANTIZATIONS.items())
    parser.add_argument("--quantize", choices=QUANTIZATIONS, default="none", help=choices)
    parser.add_argument("--no-per-channel", action="store_true", help="int8: one scale for all of a layer's weights")
    parser.add_argument("--activation-type", choices=_TYPES, default="int8", help="int8 only (default int8)")
    parser.add_argument("--weight-type", choices=_TYPES, default="int8", help="int8 only (default int8)")
    parser.add_argument(
        "--reduce-range",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="int8: 7-bit weights, which x86-64 without VNNI adds up without saturating (default)",
    )

    def choose(options: argparse.Namespace, kept: tuple[str, ...]) -> Variant:
        return variant(
            options.quantize,
            options.batch,
            kept,
            per_channel=not options.no_per_channel,
            activation_type=options.activation_type,
            weight_type=options.weight_type,
            reduce_range=options.reduce_range,
        )

    return run_export(parser, argv, choose)


def variant(quantize: str, batch: int | None = 1, kept: tuple[str, ...] = (), **static: Any) -> Variant:
    """A way to export to ONNX, the layers `kept` in float; `static` goes to `quantize_static`."""

    def convert(parent: Parent) -> bytes:
        model = onnx_from_keras(parent.model, parent.manifest.input, batch)
        if quantize == "int8":
            nodes = onnx_layers(prepared(model)) if kept else {}
            exclude = [node for layer in kept for node in nodes.get(layer, [])]
            return quantize_static(model, parent.calibration.images, batch or 1, exclude=exclude, **static)
        if quantize == "dynamic":
            return quantize_dynamic(model)
        return to_float16(model) if quantize == "float16" else model

    return Variant("onnx", quantize, convert, batch=batch, raw=True, kept=kept)


def onnx_from_keras(model: "keras.Model", wanted: Input, batch: int | None = 1) -> bytes:
    """Convert a Keras model to float32 ONNX with the pixels' scale inside the graph.

    Args:
        model: one input (batch, height, width, channels), float32; one output (batch, classes).
        wanted: how a raw pixel becomes an input value.
        batch: the fixed batch; None leaves it open.

    Returns:
        A serialised ModelProto of opset `OPSET`. Its input `pixels` is uint8, (batch, height, width, channels).

    Raises:
        Exception: whatever tf2onnx raises for a model it cannot convert.
    """
    import onnx
    import tensorflow as tf
    import tf2onnx

    fixed = with_fixed_batch(model, batch)
    scale, offset = (np.array(each, np.float32) for each in (wanted.pixel_scale, wanted.pixel_offset))

    @tf.function(input_signature=[tf.TensorSpec((batch, *wanted.shape), tf.uint8, name=PIXELS)])  # type: ignore[untyped-decorator]
    def classify(pixels: tf.Tensor) -> tf.Tensor:
        values = tf.cast(pixels, tf.float32) * scale
        return fixed(values + offset if offset.any() else values)

    with unrolled(model):  # in the bodies of loops tf2onnx gives nodes in any order
        function = frozen(classify.get_concrete_function())
    keep_alike()
    (taken,), (given,) = function.inputs, function.outputs
    proto, _ = tf2onnx.convert.from_graph_def(  # from_keras does not work with Keras 3
        function.graph.as_graph_def(add_shapes=True),
        input_names=[taken.name],
        output_names=[given.name],
        tensors_to_rename={taken.name: PIXELS},
        custom_op_handlers={"Erfc": (_one_minus_erf, [])},
        opset=OPSET,
    )
    make_canonical(proto)
    onnx.checker.check_model(proto, full_check=True)
    return serialised(proto)


def _one_minus_erf(graph: Any, node: Any, name: str, _: list[Any]) -> None:
    """Of a GELU: Erfc(x) = 1 - Erf(x), for tf2onnx, which knows no Erfc."""
    from tf2onnx.utils import make_name

    one = graph.make_const(make_name(name), np.float32(1).reshape(()))
    erf = graph.make_node("Erf", [node.input[0]], name=make_name(name))
    graph.remove_node(node.name)
    graph.make_node("Sub", [one.output[0], erf.output[0]], outputs=[node.output[0]], name=name)


def serialised(proto: Any) -> bytes:
    """The bytes of a ModelProto, the same for the same content."""
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def quantize_static(
    model: bytes,
    calibration: npt.NDArray[np.uint8],
    batch: int = 1,
    per_channel: bool = True,
    activation_type: str = "int8",
    weight_type: str = "int8",
    reduce_range: bool = True,
    exclude: Sequence[str] = (),
) -> bytes:
    """Quantize a float32 ONNX model to static int8, by QuantizeLinear and DequantizeLinear (QDQ).

    Args:
        model: a serialised ModelProto as `onnx_from_keras` gives it.
        calibration: raw pixels, uint8, (n, height, width, channels).
        batch: images the model takes at once.
        per_channel: a scale for each output channel of the weights, else one a layer.
        activation_type: int8 or uint8.
        weight_type: int8 or uint8.
        reduce_range: 7 bits for weights. With 8, ONNX Runtime's sums of two products saturate 16 bits on an x86-64
            without VNNI: the same file would answer otherwise there than on other CPUs.
        exclude: names of nodes that stay in float.

    Returns:
        A serialised ModelProto with the same ends.

    Raises:
        Exception: whatever onnxruntime's quantizer raises for a model it cannot quantize.
    """
    from onnxruntime import quantization

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Feeds the calibration images one by one."""

        def __init__(self, images: Iterable[npt.NDArray[np.uint8]]) -> None:
            self._images = iter(images)

        def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
            image = next(self._images, None)
            return None if image is None else {PIXELS: np.repeat(image[np.newaxis], batch, axis=0)}

    types = {"int8": quantization.QuantType.QInt8, "uint8": quantization.QuantType.QUInt8}

    def quantize(given: Path, made: Path) -> None:
        quantization.quantize_static(
            given,
            made,
            Reader(calibration),
            per_channel=per_channel,
            activation_type=types[activation_type],
            weight_type=types[weight_type],
            reduce_range=reduce_range,
            nodes_to_exclude=list(exclude),
        )

    return _through_files(prepared(model), quantize)


def prepared(model: bytes) -> bytes:
    """A model after onnxruntime's pre-processing for quantization: shapes inferred, nodes fused."""
    from onnxruntime import quantization

    def prepare(given: Path, made: Path) -> None:
        quantization.shape_inference.quant_pre_process(given, made, skip_symbolic_shape=True)

    return _through_files(model, prepare)


def quantize_dynamic(model: bytes) -> bytes:
    """Quantize weights to uint8, and activations while the model runs; arguments and result as above.

    uint8 weights, since onnxruntime's ConvInteger takes no others on the CPU.
    """
    from onnxruntime import quantization

    def quantize(given: Path, made: Path) -> None:
        quantization.quantize_dynamic(given, made, weight_type=quantization.QuantType.QUInt8)

    return _through_files(prepared(model), quantize)


def to_float16(model: bytes) -> bytes:
    """Turn float32 into float16 within the model; it still gives float32."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    return serialised(convert_float_to_float16(onnx.load_from_string(model), keep_io_types=True))


def _through_files(model: bytes, step: Any) -> bytes:
    """What `step(given, made)` makes of a model; onnxruntime's tools work on files."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder) / "given.onnx", Path(folder) / "made.onnx"
        given.write_bytes(model)
        step(given, made)
        return serialised(onnx.load(made))


if __name__ == "__main__":
    sys.exit(main())
