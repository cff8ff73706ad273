"""An engine is one row, and one file where it shares no class: no other module knows its name."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper
from toy_engine import TOY

from edgecnn import Classifier, EdgecnnError
from edgecnn.bench import _setups
from edgecnn.cli import _parser
from edgecnn.engine_loading import load_engine
from edgecnn.engines import ENGINES, engines_for, engines_of
from edgecnn.manifest import Input, Manifest
from edgecnn.modelfile import pack_model
from edgecnn.tune import candidates


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A row more in the table, and a model of the format that the engine runs."""
    monkeypatch.setitem(ENGINES, TOY.name, TOY)
    image, row, answer = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("image", [1, 2, 2, 1]), ("row", [1, 4]), ("answer", [1, 2]))
    )
    nodes = [
        helper.make_node("Flatten", ["image"], [row.name]),
        helper.make_node("Slice", [row.name, "begin", "end", "axis"], [answer.name]),
    ]
    bounds = [
        helper.make_tensor(name, onnx.TensorProto.INT64, [1], [value])
        for name, value in (("begin", 0), ("end", 2), ("axis", 1))
    ]
    graph = helper.make_graph(nodes, "toy", [image], [answer], bounds)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    manifest = Manifest(
        name="toy",
        format="onnx",
        quantization="float32",
        labels=("left", "right"),
        input=Input((2, 2, 1), (1 / 255,), (0.0,)),
        weights_sha256="0" * 64,
        tools={},
    )
    path = tmp_path / "toy.onnx"
    path.write_bytes(pack_model(model.SerializeToString(), manifest))
    return path


def test_a_second_engine_of_a_format_is_one_row(toy: Path) -> None:
    image = np.array([[0, 255], [0, 0]], np.uint8)
    for engine in engines_for("onnx", str(toy)):
        with Classifier(toy, engine) as classifier:
            assert (classifier.engine, classifier.predict(image).label) == (engine, "right")
    assert engines_of(toy, "onnx") == engines_for("onnx", str(toy)) == ["onnx", "toy"]


def test_the_commands_list_every_row(toy: Path) -> None:
    options = _parser().parse_args(["bench", str(toy), "--engine", "all", "--threads", "1"])
    setups = [(setup.engine, setup.threads) for setup in _setups(options)]
    assert setups == [("onnx", 1), ("toy", 1)]
    tried = [(candidate.engine, candidate.threads) for candidate in candidates(toy.parent, [1, 4])]
    assert tried == [("onnx", 1), ("onnx", 4), ("toy", 1), ("toy", 2)]
    assert _parser().parse_args(["check", str(toy), "data", "--engine", "toy"]).engine == "toy"


def test_a_row_says_what_its_engine_cannot(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EdgecnnError, match="threads is 4: engine 'toy' takes 2 at most"):
        load_engine("toy", toy.read_bytes(), "onnx", str(toy), 4)
    monkeypatch.setitem(ENGINES, "onnx", replace(ENGINES["onnx"], module="not_installed"))
    with Classifier(toy) as classifier:  # `auto` takes the first that is installed
        assert classifier.engine == "toy"
    monkeypatch.setitem(ENGINES, TOY.name, replace(TOY, automatic=False))
    with pytest.raises(EdgecnnError, match="no engine for .* is installed: pip install onnxruntime"):
        Classifier(toy)


@pytest.mark.parametrize("module", ["edgecnn.engines", "edgecnn.engine_loading", "edgecnn.cli"])
def test_the_table_imports_no_engine_and_no_numpy(module: str) -> None:
    modules = {kind.module.split(".")[0] for kind in ENGINES.values()} - {"edgecnn"}
    classes = {kind.loader.partition(":")[0] for kind in ENGINES.values()}
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {*modules, *classes, "numpy"} & set(loaded)
