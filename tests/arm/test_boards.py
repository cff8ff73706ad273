"""The wheel on emulated Raspberry Pis: what doctor finds, and the answers of this machine. Run by `make test-arm`."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import run
from test_commands import DRAWN, digit_file

from benchmarks.board_trials import doctor, on, trials
from benchmarks.instructions import instructions
from edgecnn.modelfile import read_model
from workstation.boards import EMULATED

WORKS, NO_WHEEL, BROKEN = "works", "no wheel", "broken"
ENGINES = {
    "pi4": {"litert": WORKS, "tflite": WORKS, "onnx": WORKS},
    "pi5": {"litert": WORKS, "tflite": WORKS, "onnx": WORKS},
    "pi4-32": {"litert": NO_WHEEL, "tflite": WORKS, "onnx": NO_WHEEL},
    "pi5-trixie": {"litert": WORKS, "tflite": NO_WHEEL, "onnx": WORKS},
}


@pytest.fixture(scope="session")
def models(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The usual models and float32 TFLite."""
    folder = tmp_path_factory.mktemp("models")
    for name in ("model_int8.tflite", "model_float32.onnx", "model_int8.onnx", "evaluation.npz"):
        shutil.copy(trained / name, folder)
    done = run(
        "convert.tflite", trained / "model.keras", "--quantize", "none", "--output", folder / "model_float32.tflite"
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ENGINES)
def test_a_board_answers_as_this_machine_does(name: str, models: Path, trained: Path, tmp_path: Path) -> None:
    """All models on a Raspberry Pi 4; on the others those of the demo, each engine once a CPU."""
    board = EMULATED[name]
    found = doctor(board)
    assert {each["engine"]: each["state"] for each in found["engines"]} == ENGINES[name]
    assert found["device"]["board"] == board.model
    assert found["device"]["machine"] == board.system.machine
    assert ("dot product" in found["device"]["features"]) == name.startswith("pi5")
    if name == "pi5":  # the other two run on the same CPU below, on a newer Debian
        found["engines"] = [each for each in found["engines"] if each["engine"] == "tflite"]
    rows = trials(board, found, models if name == "pi4" else trained, count=False)
    assert rows
    for row in rows:
        assert row.passed, row
    said = json.loads(on(board, "-m", "edgecnn", "classify", digit_file(tmp_path), "--json").stdout)
    assert said[0]["label"] == DRAWN


def test_the_rewritten_model_takes_fewer_instructions(models: Path, trained: Path, tmp_path: Path) -> None:
    """A count, and no time: the same on every machine."""
    edge, plain = read_model(models / "model_int8.tflite"), tmp_path / "plain.tflite"
    done = run("convert.tflite", trained / "model.keras", "--optimize", "none", "--output", plain)
    assert done.returncode == 0, done.stderr
    counts = instructions(EMULATED["pi4"], "litert", [edge, read_model(plain)])
    assert counts["model_int8.tflite"] < 0.7 * counts["plain.tflite"]


def test_a_small_board_classifies() -> None:
    done = on(EMULATED["pi3"], "-m", "edgecnn", "bench", "--quick", "--json")
    assert json.loads(done.stdout)["results"][0]["engine"] == "litert"


def test_an_engine_that_kills_its_process_is_told_as_what_it_is() -> None:
    found = doctor(EMULATED["pi4-sigill"])
    (onnx,) = (each for each in found["engines"] if each["engine"] == "onnx")
    assert (onnx["state"], onnx["version"]) == (BROKEN, "1.21.0")
    assert "SIGILL" in onnx["reason"]
    assert "Cortex-A72" in onnx["reason"]
    assert found["command"].endswith("-m pip install 'onnxruntime>=1.22'")
