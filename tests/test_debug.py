"""The layers where int8 loses are named, and as few as possible are kept in float."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refused, run
from PIL import Image

from convert.contents import LayerOutput
from convert.quantization_noise import measure
from edgecnn.interpreters import TensorSpec

pytestmark = pytest.mark.slow

LAYERS = {"conv2d", "max_pooling2d", "conv2d_1", "max_pooling2d_1", "conv2d_2", "flatten", "dense", "dense_1"}


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_int8.onnx"])
def test_every_layer_is_named_and_measured(trained: Path, tmp_path: Path, name: str) -> None:
    picture = tmp_path / "noise.png"
    done = run("convert.debug", trained / name, "--picture", picture, "--images", 16, "--json")
    assert done.returncode == 0, done.stderr
    layers = json.loads(done.stdout)["layers"]
    assert {noise["layer"] for noise in layers} == LAYERS
    assert [noise["own_db"] for noise in layers] == sorted(noise["own_db"] for noise in layers)
    assert all(noise["sqnr_db"] > 15 and noise["cosine"] > 0.98 and noise["high"] < 0.05 for noise in layers)
    with Image.open(picture) as drawn:
        assert drawn.size[0] > 600


def test_a_model_that_is_not_int8_or_of_other_weights_is_refused(copied: Path) -> None:
    refused(run("convert.debug", copied / "model_float32.onnx"), "not int8")
    refused(run("convert.debug", copied / "model_int8.tflite", "--parent", copied / "none.keras"), "none.keras")
    keep = ("--keep-float", "conv2d_9")
    refused(run("convert.tflite", copied / "model.keras", *keep), "conv2d_9", "has the layers", "conv2d_1,")
    refused(run("convert.onnx", copied / "model.keras", "--keep-float", "auto"), "goes with --quantize int8")


@pytest.mark.parametrize(("command", "name"), [("convert.tflite", "tflite"), ("convert.onnx", "onnx")])
def test_a_loud_channel_is_found_and_mended(copied: Path, command: str, name: str) -> None:
    """Plain int8 loses much; debug puts the loud layer first; --keep-float auto passes with few layers."""
    assert run(ROOT / "tests/networks.py", "loud", "keras", copied).returncode == 0
    about = ["--labels", "0,1,2,3,4,5,6,7,8,9", "--normalization", "unit"]
    about += ["--calibration", copied / "calibration.npz", "--validation", copied / "validation.npz"]
    words = [copied / "loud.keras", *about, "--quantize", "int8", "--output", copied / f"loud.{name}"]
    plain = run(command, *words, "--optimize", "none", "--max-drop", 1, "--json")
    assert plain.returncode == 0, plain.stdout + plain.stderr
    reports = [proof["validation"] for proof in json.loads(plain.stdout)["engines"].values()]
    assert all(report["lost"] - report["gained"] > 0.02 * report["images"] for report in reports)
    parent = ["--parent", copied / "loud.keras", *about]
    debug = json.loads(run("convert.debug", copied / f"loud.{name}", *parent, "--json").stdout)
    assert debug["layers"][0]["layer"] in ("conv2d", "max_pooling2d")  # the loud tensor, before and after pooling

    mended = run(command, *words, "--keep-float", "auto", "--json")
    assert mended.returncode == 0, mended.stdout + mended.stderr
    document = json.loads(mended.stdout)
    assert document["verdict"] == "PASS"
    assert 0 < len(document["kept_float"]) <= 4
    assert "conv2d_1" in document["kept_float"]  # which would read the loud tensor in int8
    assert 0 < document["integer_share"] < 1


def test_own_rounding_is_measured_as_all_rounding_is() -> None:
    """A quiet channel beside a loud one: a sum over both would put all noise below the noise of rounding alone."""
    random = np.random.default_rng(0)
    exact = random.normal(0, (100.0, 0.5), (1000, 2)).astype(np.float32)
    tensor = TensorSpec((), np.dtype(np.int8), 2.0, 0)
    stored = (np.rint((exact + random.normal(0, 1, exact.shape)) / tensor.scale)).clip(-128, 127).astype(np.int8)
    noise = measure(LayerOutput("it", exact, stored, tensor, 1))
    assert noise.sqnr_db < noise.own_db
