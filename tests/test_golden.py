"""A device's answers beside golden ones: the same pass, others are told."""

import json
from pathlib import Path

import numpy as np
from conftest import refused, run

from edgecnn.dataset import read_dataset
from edgecnn.engines import NATIVE
from edgecnn.files import npz, read_npz, write_file
from edgecnn.golden import FILE, compare, make
from edgecnn.modelfile import read_model
from edgecnn.selection import models_in


def with_golden(folder: Path) -> Path:
    """Put golden answers into a folder of models."""
    data = read_dataset(folder / "evaluation.npz", read_model(folder / "model.keras").manifest)
    write_file(folder / FILE, make(models_in(folder), data.images[:8]))
    return folder


def test_the_same_machine_answers_the_same(copied: Path) -> None:
    found = compare(with_golden(copied))
    assert {(each.model, each.engine) for each in found} >= {
        ("model_int8.tflite", "litert"),
        ("model_int8.onnx", "onnx"),
    }
    for each in found:
        assert (each.images, each.changed, each.worst, each.passed) == (16, 0, 0, True)
        assert each.steps == (each.model == "model_int8.tflite")  # ONNX's output is float
        assert each.engine != NATIVE
    assert make(models_in(copied), np.zeros((1, 28, 28, 1), np.uint8)) == make(
        models_in(copied), np.zeros((1, 28, 28, 1), np.uint8)
    )


def test_other_answers_are_told_and_damage_too(copied: Path) -> None:
    stored = read_npz(with_golden(copied) / FILE)
    stored["model_int8.tflite@litert"] = np.roll(stored["model_int8.tflite@litert"], 1, axis=1)
    write_file(copied / FILE, npz(stored))
    done = run("edgecnn", "golden", copied, "--json")
    assert done.returncode == 1, done.stderr
    passed = {(each["model"], each["engine"]): each["passed"] for each in json.loads(done.stdout)}
    assert [each for each, fine in passed.items() if not fine] == [("model_int8.tflite", "litert")]
    assert run("edgecnn", "golden", copied, "--engine", "onnx").returncode == 0
    refused(run("edgecnn", "golden", copied, "--engine", "native"), "none of the engines with golden answers")
    (copied / FILE).write_bytes((copied / FILE).read_bytes()[:-1])
    refused(run("edgecnn", "golden", copied), "golden.npz is damaged")
    (copied / FILE).unlink()
    refused(run("edgecnn", "golden", copied), "golden.npz is missing")
