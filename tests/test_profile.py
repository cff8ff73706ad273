"""Where the time goes: every operator is there, with what it computes; how long it takes, no test asserts."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run

from benchmarks.operators import OperatorCost, prefixes
from benchmarks.peak import peaks
from benchmarks.profile import Profile
from edgecnn import Classifier
from edgecnn.modelfile import read_model
from edgecnn.native_description import description_file, target

MACS = {"conv2d_1": 1_843_200, "conv2d_2": 331_776, "dense": 36_864, "dense_1": 640}


def test_prefixes_end_with_the_model_itself(trained: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    model = read_model(trained / "model_int8.tflite")
    cut = list(prefixes(model.data))
    whole = Interpreter(model_content=cut[-1])
    assert len(cut) == len(whole._get_ops_details()) + 1
    whole.allocate_tensors()
    image = np.random.default_rng(0).integers(0, 256, (28, 28, 1), np.uint8)
    whole.set_tensor(whole.get_input_details()[0]["index"], (image.astype(np.int16) - 128).astype(np.int8)[np.newaxis])
    whole.invoke()
    answer = whole.get_tensor(whole.get_output_details()[0]["index"])[0]
    assert answer.argmax() == Classifier(trained / "model_int8.tflite", "litert").predict(image).index


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_float32.onnx", "model_int8.onnx"])
def test_every_operator_is_told(trained: Path, name: str) -> None:
    done = run("benchmarks.profile", trained / name, "--json")
    assert done.returncode == 0, done.stderr
    assert "INFO:" not in done.stderr  # engines greet
    said = json.loads(done.stdout)
    macs = {each["name"]: each["macs"] for each in said["operators"] if each["macs"]}
    assert MACS.items() <= macs.items()
    assert sum(said["shares"].values()) == pytest.approx(1)
    assert said["verdict"].startswith(f"{next(iter(said['shares'].values())):.0%} of ")
    assert any(each["integer"] for each in said["operators"] if each["macs"]) == ("int8" in name)
    if name.endswith(".tflite"):
        assert any(each["fast_path"] for each in said["operators"])
    refused(
        run("benchmarks.profile", trained / name, "--engine", "onnx" if name.endswith("tflite") else "litert"),
        "is profiled on",
    )


def test_the_sentence_names_what_limits() -> None:
    convolution = OperatorCost("conv", "CONV_2D", 60.0, 6000, True, True)
    converting = OperatorCost("in", "QUANTIZE", 30.0, 0, True, False)
    found = Profile("m", "litert", (convolution, converting), 100.0, 10.0, ("AVX2",), {"int8": 1.0})
    assert found.shares == {"arithmetic": 0.6, "conversion between types": 0.3, "dispatch": 0.1, "moving data": 0.0}
    assert found.of_peak == pytest.approx(0.1)
    assert "60% of 100.0 us is arithmetic at 10% of this CPU's peak, most of it conv (60.0 us)" in found.verdict
    assert "no dot-product instruction" in found.verdict
    assert "1 of 2 operators are not on the fast path" in found.verdict
    slow = Profile("m", "litert", (converting,), 31.0, 1.0, (), {})
    assert "97% of 31.0 us is conversion between types" in slow.verdict


def test_this_cpus_peak_is_measured() -> None:
    assert all(0.1 < value < 10_000 for value in peaks().values())


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo no arena >&2; exit 3", "model_int8-native failed: no arena"),
        ("kill -SEGV $$", "killed by signal 11"),
        ("echo p50 ..3 us", "build it again"),
        ('[ "$1" = --bench ] && echo p50 3 us || exit 4', "failed: it ended with status 4"),
    ],
)
def test_a_program_that_fails_is_told(trained: Path, tmp_path: Path, script: str, words: str) -> None:
    model, program = tmp_path / "model_int8.tflite", tmp_path / "model_int8-native"
    shutil.copy(trained / model.name, model)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    libraries = {target(): {"file": "none.so", "program": program.name}}
    document = {"symbol": "model", "libraries": libraries, "multiply_accumulates": 1, "arena": 1}
    description_file(model).write_text(json.dumps(document))
    refused(run("benchmarks.native", model), words)


def test_a_model_starts_under_any_name(trained: Path, tmp_path: Path) -> None:
    model = tmp_path / 'a "quoted" name.tflite'
    shutil.copy(trained / "model_int8.tflite", model)
    done = run("benchmarks.startup", model, "--runs", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"bare script", "edgecnn", "ratio", "more_mb"}
