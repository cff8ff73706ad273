"""A device's answers beside golden ones: the same pass, others fail."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run, run_here

from edgecnn import PICTURE, SHIPPED
from edgecnn.dataset_reading import read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.golden import FILE, compare, make
from edgecnn.modelfile import read_model
from edgecnn.npz import npz, read_npz
from edgecnn.selection import models_in


def with_golden(folder: Path) -> Path:
    """Put golden answers into a folder of models."""
    data = read_dataset(folder / "evaluation.npz", read_model(folder / "model.keras").manifest)
    write_file(folder / FILE, make(models_in(folder), data.images[:8]))
    return folder


def test_the_same_machine_answers_the_same(copied: Path) -> None:
    rows = compare(with_golden(copied))
    assert {(row.model, row.engine) for row in rows} >= {
        ("model_int8.tflite", "litert"),
        ("model_int8.onnx", "onnx"),
    }
    for row in rows:
        assert (row.images, row.changed, row.worst, row.passed) == (16, 0, 0, True)
        assert row.steps == (row.model == "model_int8.tflite")  # ONNX's output is float
        assert row.engine != "native"
    assert make(models_in(copied), np.zeros((1, 28, 28, 1), np.uint8)) == make(
        models_in(copied), np.zeros((1, 28, 28, 1), np.uint8)
    )


def test_other_answers_fail_and_damage_is_an_error(copied: Path) -> None:
    stored = read_npz(with_golden(copied) / FILE)
    stored["model_int8.tflite@litert"] = np.roll(stored["model_int8.tflite@litert"], 1, axis=1)
    write_file(copied / FILE, npz(stored))
    done = run_here("edgecnn", "golden", copied, "--json")
    assert done.returncode == 1, done.stderr
    passed = {(row["model"], row["engine"]): row["passed"] for row in json.loads(done.stdout)}
    assert [key for key, fine in passed.items() if not fine] == [("model_int8.tflite", "litert")]
    assert run_here("edgecnn", "golden", copied, "--engine", "onnx").returncode == 0
    refused(run_here("edgecnn", "golden", copied, "--engine", "native"), "none of the engines with golden answers")
    (copied / FILE).write_bytes((copied / FILE).read_bytes()[:-1])
    refused(run_here("edgecnn", "golden", copied), "golden.npz is damaged")
    (copied / FILE).unlink()
    refused(run_here("edgecnn", "golden", copied), "golden.npz is missing", f"edgecnn golden {copied} --make")
    done = run_here("edgecnn", "golden", copied, "--make", "--json")
    assert done.returncode == 0, done.stderr
    assert {row["images"] for row in json.loads(done.stdout)} == {32}


def test_models_that_were_not_copied_are_left_out(copied: Path) -> None:
    with_golden(copied)
    for path in [*copied.glob("*.onnx")]:
        path.unlink()
    assert {row.model for row in compare(copied)} == {"model_int8.tflite"}
    (copied / "model_int8.tflite").unlink()
    with pytest.raises(EdgecnnError, match=r"model_int8\.onnx, model_int8\.tflite: none is here"):
        compare(copied)


def test_a_file_that_holds_no_golden_answers_is_told(copied: Path) -> None:
    images, path = np.zeros((2, 28, 28, 1), np.uint8), copied / FILE
    good = np.full((2, 10), 0.1, np.float32)
    for wrong in (
        {"model_int8.tflite@litert": good},
        {"images": images.astype(np.float32), "model_int8.tflite@litert": good},
        {"images": images, "../model_int8.tflite@litert": good},
        {"images": images, "model_int8.tflite@litert": good * np.nan},
        {"images": images, "model_int8.tflite@litert": good[:1]},
        {"images": images, "model_int8.tflite@litert": good[:, :3]},
        {"images": images[:, 1:], "model_int8.tflite@litert": good},
        {"images": np.zeros((1001, 28, 28, 1), np.uint8), "model_int8.tflite@litert": good},
        {"images": images},
    ):
        write_file(path, npz(wrong))
        with pytest.raises(EdgecnnError, match=r"golden"):
            compare(copied)


def test_a_picture_lies_beside_the_model_in_the_wheel_and_is_classified_where_none_is_named(copied: Path) -> None:
    """And where the launcher of a bundle names its models, these are meant, and the picture beside them."""
    assert SHIPPED.with_name(PICTURE).stat().st_size < 5_000
    (answer,) = json.loads(run_here("edgecnn", "classify", "--json").stdout)
    assert (answer["image"], answer["label"]) == (str(SHIPPED.with_name(PICTURE)), "3")
    bundled = {"EDGECNN_MODEL": str(copied)}
    refused(run("edgecnn", "classify", env=bundled), f"{copied / PICTURE} does not exist")
    (copied / PICTURE).write_bytes(SHIPPED.with_name(PICTURE).read_bytes())
    (answer,) = json.loads(run("edgecnn", "classify", "--json", env=bundled).stdout)
    assert (answer["image"], answer["label"]) == (str(copied / PICTURE), "3")
    info = json.loads(run("edgecnn", "info", "--json", env=bundled).stdout)
    assert Path(info["file"]).parent == copied
