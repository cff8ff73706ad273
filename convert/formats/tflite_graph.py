"""What is in a `.tflite`: its operators, its layers, the values of its tensors."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.contents import Contents
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Input
from edgecnn.pixels import stored_pixels
from workstation.layer_names import by_layer

Array = npt.NDArray[Any]


def contents(flatbuffer: bytes) -> Contents:
    """Count the operators and parameters of a `.tflite`."""
    from ai_edge_litert import schema_py_generated as schema

    model = _parsed(flatbuffer)
    integers = {schema.TensorType.INT8, schema.TensorType.INT16}
    shapes = {schema.TensorType.INT32, schema.TensorType.INT64}

    def is_parameter(tensor: Any) -> bool:
        data = model.buffers[tensor.buffer].data
        is_shape = tensor.type in shapes and not _is_quantized(tensor)
        return data is not None and len(data) > 0 and not is_shape

    is_integer = [
        all(graph.tensors[place].type in integers for place in operator.outputs)
        for graph in model.subgraphs  # the bodies of loops are graphs of their own
        for operator in graph.operators
    ]
    parameters = [tensor for graph in model.subgraphs for tensor in graph.tensors if is_parameter(tensor)]
    return Contents(len(is_integer), sum(map(_size, parameters)), sum(is_integer) / len(is_integer))


def _parsed(flatbuffer: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))


def _is_quantized(tensor: Any) -> bool:
    return tensor.quantization is not None and tensor.quantization.scale is not None


def _size(tensor: Any) -> int:
    return math.prod(() if tensor.shape is None else map(int, tensor.shape))


def layer_tensors(flatbuffer: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of the tensors that its operators write; the last is the layer's output."""
    graph = _parsed(flatbuffer).subgraphs[0]  # the others are bodies of loops
    names = [graph.tensors[place].name.decode() for operator in graph.operators for place in operator.outputs]
    return by_layer([(name, name) for name in names])


def tensor_values(
    flatbuffer: bytes, names: Collection[str], images: Array, pixels: Input | None = None
) -> dict[str, tuple[Array, TensorSpec]]:
    """Run a `.tflite`, and give the values of some of its tensors, with their quantization.

    Args:
        flatbuffer: the model.
        names: of tensors; those that the model lacks are left out.
        images: input values of the model, (n, height, width, channels); raw pixels, uint8, where `pixels` is given.
        pixels: how a raw pixel becomes an input value.
    """
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    tensors = {tensor["name"]: tensor for tensor in interpreter.get_tensor_details() if tensor["name"] in names}
    (entry,) = interpreter.get_input_details()
    values: dict[str, list[Array]] = {name: [] for name in tensors}
    for image in stored_pixels(images, pixels, _spec(entry)) if pixels else images:
        interpreter.set_tensor(entry["index"], image[np.newaxis])
        interpreter.invoke()
        for name, tensor in tensors.items():
            values[name].append(interpreter.get_tensor(tensor["index"]))
    return {name: (np.concatenate(values[name]), _spec(tensor)) for name, tensor in tensors.items()}


def _spec(details: dict[str, Any]) -> TensorSpec:
    scale, zero_point = details["quantization"]
    return TensorSpec(tuple(details["shape"]), np.dtype(details["dtype"]), scale or 1.0, zero_point)
