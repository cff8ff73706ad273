"""Models as other tools save them: what is loaded, what is refused before it runs, and each kind of output."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Once, refused, run
from PIL import Image

from edgecnn import Classifier
from edgecnn.answers import changed_answers, decided
from edgecnn.verdict import judge
from workstation.keras_files.loading import reason
from workstation.output_kind import output_kind

LABELS = {"one": "cat,dog", "logit": "cat,dog", "several": "cat,dog,bird"}


@pytest.fixture(scope="module")
def foreign_files(once: Once) -> Path:
    """The folder that tests/foreign_files.py fills."""

    def fill(folder: Path) -> None:
        done = run(ROOT / "tests/foreign_files.py", folder)
        assert done.returncode == 0, done.stderr

    return once("foreign_files", fill)


@pytest.fixture(scope="module")
def loaded(foreign_files: Path, once: Once) -> dict[str, float | str]:
    """By file: the largest error of the model that Keras 3 loads, or why it is refused."""

    def fill(folder: Path) -> None:
        done = run(ROOT / "tests/foreign_files.py", foreign_files, "load")
        assert done.returncode == 0, done.stderr
        (folder / "loaded.json").write_text(done.stdout.splitlines()[-1])

    results: dict[str, float | str] = json.loads((once("foreign_loaded", fill) / "loaded.json").read_text())
    return results


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["layers.h5", "layers.keras", "transfer.h5", "transfer.keras", "lstm.h5", "lstm.keras"]
)
def test_files_of_keras_2_answer_as_keras_2_did(loaded: dict[str, float | str], name: str) -> None:
    """Keys that are gone, an axis as a list, names with a slash, models inside models."""
    error = loaded[name]
    assert isinstance(error, float), error
    assert error < 1e-6


@pytest.mark.slow
def test_calls_of_functions_and_the_old_hard_sigmoid_are_as_in_keras_2(loaded: dict[str, float | str]) -> None:
    error = loaded["functions.h5"]
    assert isinstance(error, float), error
    assert error < 1e-6
    refusal = str(loaded["strange_function.h5"])
    assert "calls TensorFlow's io.read_file at 'tf.call'" in refusal
    assert "SavedModel" in refusal


@pytest.mark.slow
def test_a_saved_model_is_refused_for_any_operator_that_no_classifier_needs(
    foreign_files: Path, loaded: dict[str, float | str]
) -> None:
    """In a function of a branch too, and an operator of savers where no saver is."""
    assert loaded["saved_nothing"] == 0
    assert "holds PrintV2," in str(loaded["saved_write"])
    assert "holds SaveV2," in str(loaded["saved_overwrite"])
    assert not list(foreign_files.glob("written*"))


@pytest.mark.slow
def test_a_dict_with_one_key_loads_and_an_unbuilt_model_is_refused(loaded: dict[str, float | str]) -> None:
    assert loaded["dict.keras"] == 0
    assert "never built" in str(loaded["unbuilt.keras"])


@pytest.mark.slow
def test_models_that_are_no_classifier_are_refused_with_what_to_do(
    foreign_files: Path, loaded: dict[str, float | str]
) -> None:
    assert "2 outputs, not one of each: save keras.Model(" in str(loaded["two.keras"])
    assert "begin it with keras.Input((height, width, channels))" in str(loaded["open.keras"])
    assert "NaN or infinity among its weights" in str(loaded["infinite.keras"])
    about = ("--labels", "a,b,c", "--normalization", "unit", "--calibration", foreign_files / "images.npz")
    refused(run("convert", foreign_files / "huge.keras", *about), "the float model gives NaN or infinity")


@pytest.mark.parametrize(
    "words",
    [
        "Exception encountered when calling Functional.call().\n\n\x1b[1mNo such axis.\x1b[0m\n\n"
        "Arguments received by Functional.call():\n  • inputs=tf.Tensor(shape=(8, 20))",
        "Error when deserializing class 'Conv2D' using config={'a': 1}.\n\nException encountered: No such axis",
        "No such axis.",
    ],
)
def test_an_error_of_keras_is_cut_to_its_reason(words: str) -> None:
    assert reason(ValueError(words)) == "No such axis"


def convert(foreign_files: Path, folder: Path, name: str, *more: object) -> "list[dict[str, object]]":
    """Convert a model of `foreign_files` into `folder`."""
    shutil.copy(foreign_files / f"{name}.keras", folder)
    about = [
        "--labels",
        LABELS.get(name, "a,b,c"),
        "--normalization",
        "unit",
        "--calibration",
        foreign_files / "images.npz",
    ]
    done = run("convert", folder / f"{name}.keras", *about, *more, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    entries: list[dict[str, object]] = json.loads(done.stdout)
    return entries


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one", "logit"])
def test_one_value_is_the_probability_of_the_second_class(foreign_files: Path, tmp_path: Path, name: str) -> None:
    convert(foreign_files, tmp_path, name, "--variants", "tflite:int8", "onnx:none")
    expected = np.load(foreign_files / f"{name}.npy")[:, 0]
    expected = 1 / (1 + np.exp(-expected)) if name == "logit" else expected
    assert 0.1 < np.mean(expected > 0.5) < 0.9  # both classes are there
    for file, bound in (("model_int8.tflite", 0.05), ("model_float32.onnx", 1e-5)):
        answers = list(Classifier(tmp_path / file).predict_batch(np.load(foreign_files / "images.npz")["images"]))
        assert [len(answer.probabilities) for answer in answers] == [2] * len(answers)
        np.testing.assert_allclose([answer.probabilities[1] for answer in answers], expected, atol=bound)
        assert [answer.label == "dog" for answer in answers] == [answer.probabilities[1] > 0.5 for answer in answers]
        assert all(answer.labels == (answer.label,) and answer.probability >= 0.5 for answer in answers)


@pytest.mark.slow
def test_several_sigmoids_are_labels_each_by_itself(foreign_files: Path, tmp_path: Path) -> None:
    """0.97 stays 0.97, and no softmax turns it into 0.20; labels are judged one by one."""
    images, expected = np.load(foreign_files / "images.npz")["images"], np.load(foreign_files / "several.npy")
    truth = (expected > 0.5).astype(int)
    np.savez(tmp_path / "validation.npz", images=images, labels=truth)
    more = ("--validation", tmp_path / "validation.npz", "--max-drop", "0.2")
    convert(foreign_files, tmp_path, "several", *more, "--variants", "tflite:int8", "onnx:none")
    for file, bound in (("model_int8.tflite", 0.05), ("model_float32.onnx", 1e-5)):
        answers = list(Classifier(tmp_path / file).predict_batch(images))
        np.testing.assert_allclose([answer.probabilities for answer in answers], expected, atol=bound)
    assert [answer.labels for answer in answers] == [
        tuple(label for label, shown in zip(LABELS["several"].split(","), row, strict=True) if shown) for row in truth
    ]
    assert {len(answer.labels) for answer in answers} > {1}
    done = run("edgecnn", "check", tmp_path / "model_float32.onnx", tmp_path / "validation.npz", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["accuracy_by_label"] == {"cat": 1, "dog": 1, "bird": 1}
    np.savez(tmp_path / "validation.npz", images=images, labels=truth.argmax(axis=1))
    refused(run("edgecnn", "check", tmp_path / "model_float32.onnx", tmp_path / "validation.npz"), "labels")
    (tmp_path / "photos/cat").mkdir(parents=True)
    Image.fromarray(images[0, ..., 0]).save(tmp_path / "photos/cat/a.png")
    refused(run("edgecnn", "check", tmp_path / "model_float32.onnx", tmp_path / "photos"), "pass an .npz")


@pytest.mark.slow
def test_debug_lists_layers_inside_layers(foreign_files: Path, tmp_path: Path) -> None:
    convert(foreign_files, tmp_path, "attention", "--variants", "onnx:int8", "--max-drop", "1")
    about = ["--labels", "a,b,c", "--normalization", "unit", "--calibration", foreign_files / "images.npz"]
    parent = ("--parent", tmp_path / "attention.keras")
    done = run("convert.debug", tmp_path / "model_int8.onnx", *parent, *about, "--images", 8, "--json")
    assert done.returncode == 0, done.stderr
    assert {"query", "key", "value"} & {noise["layer"] for noise in json.loads(done.stdout)["layers"]}


def test_labels_are_those_above_the_threshold() -> None:
    answers = np.array([[0.97, 0.5, 0.51], [0.1, 0.2, 0.3]], np.float32)
    assert decided(answers, multi_label=True).tolist() == [[1, 0, 1], [0, 0, 0]]
    assert decided(answers, multi_label=False).tolist() == [0, 2]
    other = np.array([[0.9, 0.1, 0.4], [0.1, 0.2, 0.3]], np.float32)  # the largest stays the largest
    assert changed_answers(answers, other, multi_label=True) == 1
    assert changed_answers(answers, other, multi_label=False) == 0


def test_one_label_that_is_lost_fails_though_others_gain() -> None:
    """Of 100 images the second label is lost in 5 that the first one spoils anyway."""
    truth = np.zeros((100, 2), int)
    truth[:5] = 1
    parent, child = truth.copy(), truth.copy()
    parent[:5, 0] = 0
    child[:5] = [0, 0]
    report = judge(truth, parent, child, None, 0.01, ("cat", "dog"))
    assert report.flips is not None
    assert report.flips.net_loss == 0
    assert report.failures == ("dog: 5 right answers fewer than the float model, 1 allowed",)
    assert {name: label.accuracy for name, label in report.by_label.items()} == {"cat": 0.95, "dog": 0.95}


@pytest.mark.parametrize(
    ("outputs", "activation", "kind"),
    [
        ([[0.2, 0.8]], None, "probabilities"),
        ([[0.2, 0.8]], "sigmoid", "sigmoids"),
        ([[0.97, 0.6]], None, "sigmoids"),
        ([[0.97, 0.6]], "linear", "logits"),
        ([[-1.0, 0.6]], None, "logits"),
        ([[0.4]], None, "sigmoid"),
    ],
)
def test_the_kind_of_an_output_follows_from_its_activation_or_its_values(outputs, activation, kind: str) -> None:
    assert output_kind(np.array(outputs, np.float32), activation=activation) == kind
