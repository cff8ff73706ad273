"""Every command helps, prints JSON and nothing else, and ends a user's mistake with one line and status 2."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, heed_interrupts, refused, run, run_here
from PIL import Image

from edgecnn.modelfile import read_model
from edgecnn.shipped import MODELS

COMMANDS = (
    "train",
    "train.shrink",
    "train.qat",
    "convert",
    "convert.adopt",
    "convert.c",
    "convert.debug",
    "convert.tflite",
    "convert.onnx",
    "convert.verify",
    "benchmarks.arm",
    "benchmarks.boards",
    "benchmarks.compare",
    "benchmarks.latency",
    "benchmarks.micro",
    "benchmarks.native",
    "benchmarks.peers",
    "benchmarks.profile",
    "benchmarks.demo",
    "benchmarks.readme",
    "benchmarks.report",
    "benchmarks.drift",
    "benchmarks.fronts",
    "benchmarks.seeds",
    "benchmarks.serve",
    "benchmarks.shrink",
    "benchmarks.startup",
    "benchmarks.suite",
    "deploy.bundle",
    "deploy.fleet",
    "edgecnn",
)
SUBCOMMANDS = ("doctor", "info", "classify", "check", "golden", "bench", "tune", "watch", "serve", "service")


@pytest.mark.parametrize("name", [(name,) for name in COMMANDS] + [("edgecnn", name) for name in SUBCOMMANDS])
def test_help_comes_at_once_and_tells_the_purpose(name: tuple[str, ...]) -> None:
    """In a fresh process that may not import TensorFlow: help must not take seconds."""
    code = (
        "import runpy, sys; sys.modules.update(tensorflow=None, keras=None);"
        f"runpy.run_module({name[0]!r}, alter_sys=True, run_name='__main__')"
    )
    words = [sys.executable, "-c", code, *name[1:], "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
    if name not in (("edgecnn",), ("edgecnn", "watch")):  # watch prints nothing but JSON, a line a frame
        assert "--json" in done.stdout
    assert f"python -m {name[0]}" in done.stdout or name[0] == "edgecnn"


def test_all_commands_are_known() -> None:
    """A module with a `main` is a command, and stands in the list above."""
    commands = set()
    for folder in ("train", "convert", "benchmarks", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            functions = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
            if "main" in functions:
                parts = path.relative_to(ROOT).with_suffix("").parts
                commands.add(".".join(part for part in parts if part != "__main__"))
    assert commands == set(COMMANDS) - {"edgecnn"}


DRAWN = "3"  # what digit_file shows


def digit_file(folder: Path) -> Path:
    """A drawn digit as people draw it, dark on light and off the centre, as a PNG."""
    from train.datasets import digits

    data = digits()
    clear = data.test_images[data.test_labels == int(DRAWN)][0, ..., 0]
    path = folder / "digit.png"
    Image.fromarray(255 - np.pad(clear, 40)).save(path)
    return path


def test_json_is_all_there_is_on_stdout(trained: Path, tmp_path: Path) -> None:
    model = trained / "model_int8.tflite"
    for words in (
        ("edgecnn", "info", model),
        ("edgecnn", "classify", digit_file(tmp_path), "--model", model),
        ("edgecnn", "check", model, trained / "evaluation.npz"),
        ("edgecnn", "bench", model, "--engine", "all", "--workers", "1,2", "--seconds", 0),
        ("benchmarks.latency", model, "--seconds", 0, "--output", tmp_path / "latency.json"),
        ("convert.onnx", trained / "model.keras", "--output", tmp_path / "m.onnx"),
    ):
        done = run(*words, "--json")
        assert done.returncode == 0, done.stderr
        json.loads(done.stdout)
        assert "INFO:" not in done.stderr  # engines and TensorFlow greet


def test_info_names_what_a_smaller_network_was_made_from_and_for() -> None:
    lines = run_here("edgecnn", "info", "small").stdout.splitlines()
    (shrunk,) = [line for line in lines if line.startswith("shrunk ")]
    training = read_model(MODELS["small"]).manifest.training
    assert training is not None
    assert str(training.parent_sha256).startswith(shrunk.split()[3].rstrip(","))
    assert shrunk.endswith(f"within {training.budget}")


def test_a_digit_dark_on_light_is_classified(trained: Path, tmp_path: Path) -> None:
    done = run_here("edgecnn", "classify", digit_file(tmp_path), "--model", trained / "model_int8.tflite", "--json")
    (answer,) = json.loads(done.stdout)
    assert answer["label"] == DRAWN


def test_one_image_that_cannot_be_read_keeps_no_other_from_its_answer(trained: Path, tmp_path: Path) -> None:
    digit, text = digit_file(tmp_path), tmp_path / "text.png"
    text.write_text("text")
    done = run_here("edgecnn", "classify", digit, text, digit, "--model", trained / "model_int8.tflite", "--json")
    refused(done, "text.png does not decode")
    assert [(row["image"], row["label"]) for row in json.loads(done.stdout)] == [(str(digit), DRAWN)] * 2


def test_mistakes_get_a_line_and_status_2(trained: Path, tmp_path: Path) -> None:
    model, digit = trained / "model_int8.tflite", digit_file(tmp_path)
    text = tmp_path / "text.png"
    text.write_text("text")
    refused(run_here("edgecnn", "info", tmp_path / "none"), "none cannot be read: No such file")
    refused(run_here("edgecnn", "info", tmp_path), "holds no .tflite or .onnx file")
    refused(run_here("edgecnn", "info", digit), "neither .tflite nor .onnx nor .keras")
    refused(run_here("edgecnn", "classify", text, "--model", model), "text.png does not decode")
    refused(run_here("edgecnn", "classify", digit, "--model", trained / "model.keras"), "convert it")
    refused(run_here("edgecnn", "classify", digit, "--model", model, "--engine", "onnx"), "use litert or tflite")
    refused(run_here("edgecnn", "check", model, model), "not a data set of edgecnn")
    refused(run("train", "--dataset", "mnist", "--data", tmp_path), "train-images-idx3-ubyte.gz cannot be read")
    refused(run("train", "--dataset", "digits", "--data", tmp_path), "--data names the folder of MNIST's four files")
    refused(run("train", "--dataset", "digits", "--output", text / "folder"), "text.png")
    refused(run("convert.tflite", trained / "model.keras", "--output", text / "model.tflite"), "text.png")
    refused(run_here("benchmarks.latency", tmp_path), "holds no .tflite or .onnx file")
    refused(run_here("benchmarks.micro", "--levels=-Os,-O99"), "'-O99' is no level of optimization: -Os, -O2, -O3")
    refused(run_here("benchmarks.micro", text), "text.png is neither .tflite nor .onnx nor .keras")
    refused(run_here("benchmarks.micro", trained / "model.keras"), "is a keras model: name the int8 .tflite")
    refused(run_here("benchmarks.micro", "/dev/zero"), "/dev/zero cannot be read: it is a pipe or a device")
    for words in (("train", "--epochs", "0"), ("convert.tflite", "--max-drop", "x"), ("edgecnn",)):
        done = run(*words)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_full_disk_is_told_and_leaves_no_half_file(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: it is met when the first checkpoint is written."""
    done = run("train", "--dataset", "digits", "--epochs", 1, "--output", tmp_path, file_size=100_000)
    refused(done, "checkpoint.zip", "File too large")
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def loads_tensorflow(process: "subprocess.Popen[str]", output: Path) -> bool:
    """Whether a command has begun to load TensorFlow: its own code is loaded by then."""
    return "tensorflow" in Path(f"/proc/{process.pid}/maps").read_text()


def has_trained_an_epoch(process: "subprocess.Popen[str]", output: Path) -> bool:
    return (output / "checkpoint.zip").exists()


@pytest.mark.slow
@pytest.mark.parametrize("moment", [loads_tensorflow, has_trained_an_epoch])
def test_ctrl_c_ends_a_training_with_a_line(tmp_path: Path, moment: Callable[..., bool]) -> None:
    output = tmp_path / "out"
    words = [sys.executable, "-m", "train", "--dataset", "digits", "--epochs", "2000", "--output", str(output)]
    pipes = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": heed_interrupts}
    with subprocess.Popen(words, cwd=ROOT, **pipes) as training:
        while training.poll() is None and not moment(training, output):
            time.sleep(0.05)
        time.sleep(0.2)
        training.send_signal(signal.SIGINT)
        _, errors = training.communicate(timeout=60)
    assert training.returncode == 2
    assert "Traceback" not in errors
    assert "error: interrupted" in errors
    left = {path.name for path in output.iterdir()}
    if moment is has_trained_an_epoch:
        assert "--resume" in errors
        assert left == {"logs", "checkpoint.zip"}
    else:
        assert left <= {"logs"}


def test_a_reader_that_has_enough_is_no_error(trained: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m edgecnn info {trained / 'model.keras'} | head -1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
        check=False,
    )
    assert "Traceback" not in done.stderr
