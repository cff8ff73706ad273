"""The ranges of a TFLite model's activations: their names, and how a float model with ranges becomes an int8 one.

A range has the name of a node of TensorFlow. TFLite names a tensor of several nodes after all of them
(`conv._1/Relu;conv._1/BiasAdd;...`); ONNX has a tensor for each, or for some.
"""

from collections.abc import Collection, Mapping
from typing import Any

OUTPUT = "PartitionedCall:0"  # what TFLite calls the model's output

Range = tuple[float, ...]  # the least and the largest value
_ALL = -128, 127  # what int8 holds


def parsed(flatbuffer: bytes) -> Any:
    """A flatbuffer as objects."""
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))


def packed(model: Any) -> bytes:
    """Objects as a flatbuffer."""
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def operator_name(model: Any, operator: Any) -> str:
    """What the schema calls an operator, as CONV_2D."""
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items() if isinstance(number, int)}
    code = model.operatorCodes[operator.opcodeIndex]
    name: str = names[max(code.builtinCode, code.deprecatedBuiltinCode)]
    return name


def node_names(tensor_name: str) -> list[str]:
    """The nodes that a tensor is named after, the one that names its range first."""
    return [name for name in tensor_name.split(";") if name]


def is_constant(model: Any, tensor: Any) -> bool:
    """Whether a tensor's values are in the file."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def range_of(tensor: Any) -> Range:
    """The range of an int8 tensor with one scale."""
    scale, zero_point = float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])
    low, high = ((bound - zero_point) * scale for bound in _ALL)
    return low, high


def with_ranges(calibrated: bytes, ranges: Mapping[str, Range]) -> bytes:
    """A calibrated float model, other ranges in the place of those that were seen on images.

    Args:
        calibrated: a flatbuffer whose tensors have a least and a largest value, as the calibration writes them.
        ranges: by name, see `node_names`; a tensor without one keeps what was seen.
    """
    model = parsed(calibrated)
    for tensor in model.subgraphs[0].tensors:
        bounds = ranges.get(node_names(tensor.name.decode())[0]) if tensor.name else None
        if bounds and tensor.quantization is not None and tensor.quantization.min is not None:
            tensor.quantization.min, tensor.quantization.max = [bounds[0]], [bounds[1]]
    return packed(model)


def calibrated_int8(
    converter: Any, ranges: Mapping[str, Range], ends: Any, per_channel: bool = True, kept: Collection[str] = ()
) -> bytes:
    """Convert to int8 by ranges that are known.

    Args:
        converter: set to int8, with samples: tensors without a range are calibrated on them.
        ranges: by name.
        ends: the dtype of input and output.
        per_channel: whether a layer's weights have a scale for each output channel.
        kept: names of tensors whose operators stay in float; both ends are then float32.
    """
    import tensorflow as tf
    from tensorflow.lite.python import convert as passes

    converter._experimental_calibrate_only = True
    both = tf.float32 if kept else tf.dtypes.as_dtype(ends)
    flatbuffer: bytes = passes.mlir_quantize(
        with_ranges(converter.convert(), ranges),
        disable_per_channel=not per_channel,
        input_data_type=both,
        output_data_type=both,
        denylisted_nodes=list(kept),
    )
    return flatbuffer
