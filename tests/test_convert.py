"""Conversions are proved before they are written."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT, refused, run

from convert.__main__ import screen
from convert.contents import Contents
from convert.conversion import Conversion
from convert.gate import exit_status, write
from convert.model_card import record
from convert.processes.engine_answers import answers_by_engine
from convert.proof import prove
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_dataset
from edgecnn.files import sha256
from edgecnn.manifest import Input, Manifest
from edgecnn.modelfile import read_model


def test_int8_tflite_is_int8_throughout(trained: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(trained / "model_int8.tflite"))
    (entry,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (entry["dtype"], output["dtype"]) == (np.int8, np.int8)
    assert entry["shape"].tolist() == [1, 28, 28, 1]
    assert entry["quantization"] == (pytest.approx(1 / 255), -128)
    tensors = interpreter.get_tensor_details()
    kernels = [tensor for tensor in tensors if tuple(tensor["shape"][1:]) == (3, 3, 32)]
    assert len(kernels[0]["quantization_parameters"]["scales"]) == 64  # per channel
    assert {np.dtype(tensor["dtype"]).name for tensor in tensors} <= {"int8", "int32"}


def test_onnx_takes_raw_pixels_and_has_no_shape_arithmetic(trained: Path) -> None:
    for name in ("model_float32.onnx", "model_int8.onnx"):
        proto = onnx.load(trained / name)
        onnx.checker.check_model(proto, full_check=True)
        (entry,) = proto.graph.input
        assert entry.name == "pixels"
        assert entry.type.tensor_type.elem_type == onnx.TensorProto.UINT8
        assert [side.dim_value for side in entry.type.tensor_type.shape.dim] == [1, 28, 28, 1]
        assert not {node.op_type for node in proto.graph.node} & {"Shape", "Gather", "Concat", "Unsqueeze"}


def test_manifests_say_how_the_conversion_did(trained: Path) -> None:
    for name, engine in (("model_int8.tflite", "litert"), ("model_float32.onnx", "onnx"), ("model_int8.onnx", "onnx")):
        manifest = read_model(trained / name).manifest
        assert manifest.agreement is not None
        assert (manifest.agreement.split, manifest.agreement.engine) == ("validation", engine)
        assert manifest.quantization == ("none" if "float32" in name else "int8")
        assert manifest.tools["tensorflow"]


@pytest.mark.slow
def test_a_quantization_is_one_row(trained: Path, tmp_path: Path) -> None:
    """Every command and file that names quantizations knows a row as soon as the table has it."""
    words = (trained / "model.keras", "--output", tmp_path, "--variants", "tflite:toy", "--json")
    done = run(ROOT / "tests/toy_quantization.py", *words)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert entry["file"] == "model_toy.tflite"
    assert entry["integer_share"] > 0.7  # the rest turns float32 into int8 and back
    assert read_model(tmp_path / "model_toy.tflite").manifest.quantization == "toy"
    assert "model_toy.tflite" in (tmp_path / "models.md").read_text()


@pytest.mark.slow
def test_a_conversion_that_loses_too_much_is_not_written(copied: Path) -> None:
    """Calibrated on nearly black images, so that the ranges of all activations are far too small."""
    manifest = read_model(copied / "model.keras").manifest
    calibration = read_dataset(copied / "calibration.npz", manifest)
    replace(calibration, images=calibration.images // 64).save(copied / "calibration.npz")
    for words, name in (
        (["convert.tflite"], "model_int8.tflite"),
        (["convert.onnx", "--quantize", "int8"], "model_int8.onnx"),
    ):
        (copied / name).unlink()
        before = sorted(path.name for path in copied.iterdir())
        done = run(*words, copied / "model.keras")
        assert done.returncode == 1, done.stderr
        assert "NOTHING WRITTEN" in done.stdout
        assert "right answers fewer than the float model" in done.stdout
        assert sorted(path.name for path in copied.iterdir()) == before
    done = run("convert.tflite", copied / "model.keras", "--max-drop", "1", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["written"] == str(copied / "model_int8.tflite")


def test_models_that_cannot_be_converted_are_refused(copied: Path) -> None:
    refused(run("convert.tflite", copied / "model_float32.onnx"), "onnx model already")
    refused(run("convert.onnx", copied / "missing.keras"), "missing.keras cannot be read")
    (copied / "validation.npz").write_bytes((copied / "evaluation.npz").read_bytes()[:-1])
    refused(run("convert.tflite", copied / "model.keras"), "validation.npz")
    (copied / "validation.npz").unlink()
    refused(run("convert.tflite", copied / "model.keras"), "validation.npz cannot be read")


def test_data_of_another_training_is_refused(copied: Path) -> None:
    manifest = read_model(copied / "model.keras").manifest
    data = read_dataset(copied / "validation.npz", manifest)
    assert data.source is not None
    replace(data, source=replace(data.source, weights_sha256="0" * 64)).save(copied / "validation.npz")
    refused(run("convert.tflite", copied / "model.keras"), "different trainings")


def test_an_engine_that_dies_is_reported(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next model runs in a new process."""
    model = read_model(trained / "model_int8.tflite")
    images = np.zeros((1, 28, 28, 1), np.uint8)
    with monkeypatch.context() as patched:
        patched.setattr("convert.processes.engine_answers._Runner.run", _die)
        assert answers_by_engine(model, images)["litert"] == "litert died of it (SIGSEGV)"
    (probabilities,) = answers_by_engine(model, images)["litert"]
    assert probabilities.sum() == pytest.approx(1, abs=0.02)


def _die(runner: object, images: object) -> None:
    import os
    import signal

    assert runner and images is not None
    os.kill(os.getpid(), signal.SIGSEGV)


def test_a_float_model_answers_as_keras_does_not_only_mostly_right() -> None:
    """A probability that is 0.004 off changes no answer, but is more than rounding; NaN never passes."""
    expected = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    data = Dataset(np.zeros((2, 1, 1, 1), np.uint8), np.array([0, 1]), np.arange(2), expected)
    off = expected + np.float32([[0.004, -0.004], [0, 0]])
    judged = partial(prove, Manifest("m", "keras", ("a", "b"), Input((1, 1, 1), (1.0,), (0.0,)), "0" * 64), data)
    random = np.zeros((3, 2), np.float32)  # of random images, which have no right answer
    assert judged(np.concatenate([random, expected]), 0.005, 1e-3).validation.verdict == "PASS"
    report = judged(np.concatenate([random, off]), 0.005, 1e-3).validation
    assert (report.verdict, report.flips.count) == ("FAIL", 0)
    assert "a probability is off by 4.0e-03" in report.failures[0]
    assert judged(off, 0.005, 1.0).validation.verdict == "PASS"
    off[1, 0] = np.nan
    assert judged(off, 1.0, 1.0).validation.verdict == "FAIL"


def test_the_gate_writes_a_conversion_that_passed_and_nothing_of_one_that_is_refused(tmp_path: Path) -> None:
    """On any engine: one that loses too much is enough. An engine that does not run the model refuses nothing."""
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.6, 0.4]], np.float32)
    data = Dataset(np.zeros((4, 1, 1, 1), np.uint8), np.array([0, 1, 1, 0]), np.arange(4), probabilities)
    judged = partial(prove, Manifest("m", "keras", ("a", "b"), Input((1, 1, 1), (1.0,), (0.0,)), "0" * 64), data)
    good, bad = (judged(outputs, 0.005, 1.0) for outputs in (probabilities, probabilities[:, ::-1]))
    model, c = tmp_path / "model.tflite", tmp_path / "model.c"
    passing = Conversion(b"model", b"model", Contents(1, 1, 1.0), {"litert": good, "tflite": "does not load"})
    refused = replace(passing, proofs={"litert": good, "tflite": bad})
    entries = [write(refused, file, {file: b"model"}) for file in (model, c)]
    assert [entry["verdict"] for entry in entries] == ["FAIL", "FAIL"]
    assert exit_status(entries) == 1
    assert not list(tmp_path.iterdir())
    entry = write(passing, model, {model: passing.data, c: b"int main;"})
    assert (entry["verdict"], exit_status([entry])) == ("PASS", 0)
    assert (model.read_bytes(), c.read_bytes()) == (b"model", b"int main;")
    names = [entry["file"] for entry in json.loads((tmp_path / "models.json").read_text())["models"]]
    assert names == ["model.tflite"]


def test_conversions_at_once_all_leave_their_entries(tmp_path: Path) -> None:
    def add(number: int) -> None:
        file = tmp_path / f"{number}.tflite"
        file.write_bytes(b"model")
        entry = {"file": file.name, "sha256": sha256(b"model"), "verdict": "FAIL", "why": "a test", "engines": {}}
        record(file, entry)

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(add, range(20)))
    assert len(json.loads((tmp_path / "models.json").read_text())["models"]) == 20


def test_a_reason_does_not_widen_the_table() -> None:
    why = "could not be converted to onnx: " + "a converter's words " * 9
    *lines, last = screen([{"file": "model.onnx", "verdict": "FAIL", "why": why, "engines": {}}]).splitlines()
    assert max(map(len, lines)) < 100
    assert last == f"model.onnx: {why}"
