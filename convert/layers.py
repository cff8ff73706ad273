"""Which operators of a converted model belong to which Keras layer."""

from typing import Any

from convert.names import layer_of


def tflite_layers(flatbuffer: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of the tensors that its operators write, the last being the layer's output."""
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(flatbuffer, 0))
    graph = model.subgraphs[0]  # the others are bodies of loops
    names = [graph.tensors[place].name.decode() for op in graph.operators for place in op.outputs]
    return _by_layer([(name, name) for name in names])


def onnx_layers(model: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of its nodes."""
    import onnx

    return _by_layer([(node.name, node.name) for node in onnx.load_from_string(model).graph.node])


def onnx_outputs(model: bytes) -> dict[str, list[str]]:
    """By layer, in order: the names of the tensors that its nodes write."""
    import onnx

    return _by_layer([(node.name, node.output[0]) for node in onnx.load_from_string(model).graph.node])


def _by_layer(named: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in named:
        if layer := layer_of(name):
            found.setdefault(layer, []).append(value)
    return found
