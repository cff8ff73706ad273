"""Tune picks the fastest that loses nothing, and a folder opens with what it picked for as long as that holds."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run, run_here
from test_commands import digit_file

from edgecnn import Classifier, EdgecnnError
from edgecnn.candidate import Candidate
from edgecnn.modelfile import pack_model, read_model
from edgecnn.seal import zip_members
from edgecnn.tune import best

BLANK = np.zeros((28, 28), np.uint8)


def candidate(medians: list[float], memory: float, threads: int = 1, failure: str = "") -> Candidate:
    return Candidate("model", "engine", threads, medians, memory, failure)


def test_the_lowest_median_wins_and_within_noise_the_smaller_memory() -> None:
    slow, fast = candidate([30.0, 30.2, 30.1], 10), candidate([20.0, 20.4, 20.2], 50)
    near = candidate([20.3, 20.5, 20.1], 40)
    failed = candidate([1.0], 1, failure="lost too much")
    assert best([slow, fast, failed]) is fast
    assert best([slow, fast, near, failed]) is near
    more = candidate([20.3, 20.5, 20.1], 40, threads=2)
    assert best([more, near]) is near
    assert best([failed]) is None


def test_a_folder_opens_with_what_was_chosen(copied: Path, tmp_path: Path) -> None:
    spoilt = read_model(copied / "model_int8.onnx")
    (copied / "zero.onnx").write_bytes(pack_model(zeroed(spoilt.data), spoilt.manifest))
    done = run("edgecnn", "tune", copied, "--threads", 1, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    passed = [row for row in document["candidates"] if "p50_us" in row]
    (out,) = (row for row in document["candidates"] if "failure" in row)
    assert out["model"] == "zero.onnx"
    assert "right answers fewer" in out["failure"]
    assert {row["model"] for row in passed} == {"model_int8.tflite", "model_float32.onnx", "model_int8.onnx"}
    assert [row["p50_us"] for row in passed] == sorted(row["p50_us"] for row in passed)
    assert document["winner"] in passed
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = Classifier(copied)
    chosen = (classifier.path.name, classifier.engine, classifier.threads)
    assert chosen == tuple(document["winner"][key] for key in ("model", "engine", "threads"))
    done = run("edgecnn", "watch", "-", "--model", copied, input=bytes(784).decode("latin-1"))
    assert json.loads(done.stdout)["label"] == classifier.predict(BLANK).label
    on_one_core = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); from edgecnn import cli; cli.main()"
    )
    words = [sys.executable, "-c", on_one_core, "classify", digit_file(tmp_path), "--model", copied]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    (copied / "zero.onnx").unlink()
    with pytest.warns(UserWarning, match=r"no longer holds \(models changed\): taking model_int8\.tflite; run edgecnn"):
        Classifier(copied)


def zeroed(data: bytes) -> bytes:
    """An .onnx whose weights are zero: it always gives the same answer."""
    import onnx

    model = onnx.load_from_string(data)
    del model.metadata_props[:]
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) > 1:  # not the zero points
            tensor.raw_data = bytes(len(tensor.raw_data))
    return model.SerializeToString()


def test_another_device_or_engine_or_a_torn_file_falls_back_with_a_warning(copied: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="is not tuned for this device: taking model_int8"):
        assert Classifier(copied).path.name == "model_int8.tflite"
    assert run("edgecnn", "tune", copied, "--threads", 1).returncode == 0
    path = copied / "selection.json"
    kept = json.loads(path.read_text())
    for part, name in (("device", "board"), ("engines", "litert")):
        other = json.loads(path.read_text())
        other["key"][part][name] = "another"
        path.write_text(json.dumps(other))
        with pytest.warns(UserWarning, match=rf"no longer holds \({part} changed\)"):
            Classifier(copied)
        done = run("edgecnn", "classify", digit_file(tmp_path), "--model", copied)  # the command line says so too
        assert done.returncode == 0
        assert f"warning: {path} no longer holds ({part} changed): taking model_int8.tflite; run" in done.stderr
        path.write_text(json.dumps(kept))
    for text in ("", "{}", '{"key": 3}', "[]"):
        path.write_text(text)
        with pytest.warns(UserWarning, match="cannot be read"):
            Classifier(copied)
    with pytest.raises(EdgecnnError, match="name a model file instead"):
        Classifier(copied, engine="onnx")


def test_mistakes_are_told(tmp_path: Path, copied: Path) -> None:
    refused(run_here("edgecnn", "tune", tmp_path / "none"), "is no folder")
    (copied / "selection.json").mkdir()
    refused(run_here("edgecnn", "tune", copied), "selection.json is a folder")  # before it measures
    (copied / "selection.json").rmdir()
    refused(run_here("edgecnn", "tune", copied / "model_int8.tflite"), "is no folder")
    (copied / "validation.npz").unlink()
    refused(run_here("edgecnn", "tune", copied), "validation.npz is missing: copy validation.npz there")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/validation.npz").write_bytes(zip_members({}))
    refused(run_here("edgecnn", "tune", tmp_path / "empty"), "holds no .tflite or .onnx file")
    assert not (copied / "selection.json").exists()
