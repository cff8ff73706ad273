"""What TFLite makes of a Keras model in int8: which tensors are rounded, and which share a scale.

TFLite's own converter says it: the model is converted after training as ever, and the operators and tensors that come
out are read. So fusing, shared scales and the fixed scale of a softmax are TFLite's rules, not a copy of them.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edgecnn.command import quiet
from workstation.tflite_converter import tflite_converter
from workstation.tflite_ranges import Range, is_constant, operator_name, parsed, range_of

_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}  # weights have scales of their own
_FIXED = {"SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "TANH", "L2_NORMALIZATION"}  # the output's scale does not depend on it
_MOVING = {  # hand values on, with the scale that they came with
    *("MAX_POOL_2D", "AVERAGE_POOL_2D", "RESHAPE", "CONCATENATION", "PAD", "PADV2", "MIRROR_PAD", "TRANSPOSE"),
    *("SQUEEZE", "EXPAND_DIMS", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "GATHER", "PACK", "UNPACK", "TILE"),
    *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "REDUCE_MAX", "REDUCE_MIN", "MAXIMUM", "MINIMUM"),
    *("SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "BROADCAST_TO", "REVERSE_V2"),
}


@dataclass(frozen=True)
class Tensor:
    """An int8 tensor."""

    name: str  # TFLite's: of the nodes that it stands for
    group: int  # tensors of a group share a scale
    range: Range  # after the calibration on a few images
    is_fixed: bool  # whether no training may change the range
    is_constant: bool  # of an operator that computes value by value; weights are not among the tensors
    end: str = ""  # input or output, if it is one of them


def plan_of(model: keras.Model, images: npt.NDArray[np.float32]) -> list[Tensor]:
    """The int8 tensors of a model, in order, without weights and biases.

    Args:
        model: a classifier.
        images: a few inputs of it, float32, (n, height, width, channels).

    Raises:
        Exception: whatever TensorFlow raises for a model that it cannot convert.
    """
    return _tensors(parsed(_int8(model, images)))


def _int8(model: keras.Model, images: npt.NDArray[np.float32]) -> bytes:
    import tensorflow as tf

    with quiet(), tflite_converter(model) as converter:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        flatbuffer: bytes = converter.convert()
        return flatbuffer


def _tensors(model: Any) -> list[Tensor]:
    graph = model.subgraphs[0]
    operators = [(operator_name(model, operator), operator) for operator in graph.operators]
    weighted = [operator for name, operator in operators if name in _WEIGHTED]
    weights = {
        int(operator.inputs[1]) for operator in weighted if is_constant(model, graph.tensors[operator.inputs[1]])
    }
    places = [place for place in _in_order(graph) if _is_int8(graph.tensors[place]) and place not in weights]
    groups = _groups(graph, operators)
    fixed = {groups[place] for name, operator in operators if name in _FIXED for place in operator.outputs}
    ends = {graph.inputs[0]: "input", graph.outputs[0]: "output"}
    return [
        Tensor(
            graph.tensors[place].name.decode(),
            groups[place],
            range_of(graph.tensors[place]),
            groups[place] in fixed,
            is_constant(model, graph.tensors[place]),
            ends.get(place, ""),
        )
        for place in places
    ]


def _in_order(graph: Any) -> list[int]:
    """The tensors in the order in which the graph reads and writes them."""
    places = [
        *graph.inputs,
        *(place for operator in graph.operators for place in (*operator.inputs, *operator.outputs)),
    ]
    return list(dict.fromkeys(int(place) for place in places if place >= 0))


def _is_int8(tensor: Any) -> bool:
    from ai_edge_litert import schema_py_generated as schema

    quantization = tensor.quantization
    return tensor.type == schema.TensorType.INT8 and quantization is not None and quantization.scale is not None


def _groups(graph: Any, operators: list[tuple[str, Any]]) -> dict[int, int]:
    """By tensor: the first of those that it shares a scale with."""
    first = {place: place for place in range(len(graph.tensors))}
    for name, operator in operators:
        places = [int(place) for place in (*operator.inputs, *operator.outputs) if place >= 0]
        alike = [place for place in places if name in _MOVING and _is_int8(graph.tensors[place])]
        by_range: dict[Range, int] = {}
        for place in alike:
            root = by_range.setdefault(range_of(graph.tensors[place]), first[place])
            former = first[place]
            first = {other: root if known == former else known for other, known in first.items()}
    return first
