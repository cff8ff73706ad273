"""Files of other tools that leave open how many images they take: engines run them with one."""

from pathlib import Path

import numpy as np
import pytest
from c_builder import Builder
from onnx import TensorProto, helper

from edgecnn import EdgecnnError
from edgecnn.onnx_engine import OnnxEngine
from edgecnn.tflite_engine import TfliteEngine

TFLITE = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")


def onnx_classifier(entry: list[str | int], output: list[str | int] | None) -> bytes:
    """Three sums of 2x2 pixels."""
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [4, 3], np.arange(12, dtype=np.float32))
    nodes = [helper.make_node("Flatten", ["x"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["y"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", entry), ("y", output))
    ]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def tflite_classifier(shape: tuple[int, ...], signature: tuple[int, ...]) -> bytes:
    """Maxima of 1x1 pixels, which are the pixels."""
    built = Builder(shape, 0.1, 0)
    built.tensors[0].shapeSignature = np.array(signature, np.int32)
    sides = {"padding": 1, "strideH": 1, "strideW": 1, "filterHeight": 1, "filterWidth": 1}
    return built.op("MAX_POOL_2D", [0], shape, 0.1, 0, options="Pool2DOptions", **sides).flatbuffer()


@pytest.mark.parametrize("output", [["N", 3], ["N", "classes"], None])
def test_onnx_with_names_for_sides(output: list[str | int] | None) -> None:
    engine = OnnxEngine("onnxruntime", Path("m.onnx"), onnx_classifier(["N", 2, 2, 1], output), 1)
    engine.feed()[...] = 1
    engine.invoke()
    assert (engine.input.shape, engine.output.shape) == ((1, 2, 2, 1), (1, 3))
    assert engine.result().tolist() == [[18, 22, 26]]


@pytest.mark.parametrize("module", TFLITE)
def test_tflite_with_an_open_batch(module: str) -> None:
    """The batch that is stored is 1 in most files, and another in some."""
    pytest.importorskip(module)
    for stored in (1, 4):
        engine = TfliteEngine(module, Path("m.tflite"), tflite_classifier((stored, 2, 3, 1), (-1, 2, 3, 1)), 1)
        engine.feed()[...] = 7
        engine.invoke()
        assert engine.output.shape == (1, 2, 3, 1)
        assert (engine.result() == 7).all()


def test_an_open_size_of_the_picture_is_refused() -> None:
    with pytest.raises(EdgecnnError, match="fixed size"):
        OnnxEngine("onnxruntime", Path("m.onnx"), onnx_classifier(["N", "height", "width", 1], ["N", 3]), 1)
    with pytest.raises(EdgecnnError, match="fixed size"):
        TfliteEngine(TFLITE[0], Path("m.tflite"), tflite_classifier((1, 1, 1, 3), (-1, -1, -1, 3)), 1)
