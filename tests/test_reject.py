"""Answers are `unknown` below a threshold set on validation, at a temperature that makes probabilities honest."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import refused, run, run_here
from PIL import Image, ImageDraw

from convert.c.rejection import rejection_values
from edgecnn import Classifier, EdgecnnError
from edgecnn.answers import as_probabilities, at_temperature, softmax
from edgecnn.check import check
from edgecnn.dataset_reading import read_dataset
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import LEAST_FLOOR, Input, Manifest, Rejection
from edgecnn.modelfile import MEMBER, pack_model, read_model
from edgecnn.pixels import dequantize
from edgecnn.reliability import calibration_error, reliability
from workstation.rejection import fit_rejection, rejected

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


def overconfident(temperature: float, images: int = 20_000) -> tuple[Floats, Labels]:
    """Probabilities of ten classes whose logits are so many times too large, and labels drawn of honest ones."""
    random = np.random.default_rng(0)
    logits = (2 * random.normal(size=(images, 10))).astype(np.float32)
    labels = (random.random((images, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1).clip(0, 9)
    return softmax(logits * np.float32(temperature)), labels


def test_the_calibration_error_is_that_of_the_definition() -> None:
    """Two bins: 0.8 and 0.82 with half of the answers right, 0.5 with all: (2 * |0.5 - 0.81| + |1 - 0.5|) / 3."""
    probabilities, right = np.array([0.82, 0.81, 0.5]), np.array([True, False, True])
    assert calibration_error(probabilities, right) == pytest.approx((2 * 0.315 + 0.5) / 3)
    edges = np.array([1 / 15, 1.0, 0.0])  # a bin holds its upper bound: these are in three bins
    assert calibration_error(edges, np.array([True, True, False])) == pytest.approx((14 / 15) / 3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_was_hidden_comes_out(temperature: float) -> None:
    probabilities, labels = overconfident(temperature)
    rejection, missed = fit_rejection(probabilities, labels, 0.5)
    assert rejection is not None
    assert not missed
    assert rejection.temperature == pytest.approx(temperature, rel=0.04)
    figures = rejected(rejection, probabilities, labels)
    assert figures.error < 0.012
    assert figures.raw_error > 0.06 or temperature == 1
    scaled = at_temperature(probabilities, rejection.temperature, rejection.floor)
    assert (scaled.argmax(axis=1) == probabilities.argmax(axis=1)).all()
    np.testing.assert_allclose(scaled.sum(axis=1), 1, rtol=1e-5)


def test_an_int8_output_gets_nearly_the_temperature_of_the_float_one() -> None:
    """Its zeros stand for probabilities below half a step; half a step itself would give a temperature far off."""
    probabilities, labels = overconfident(2.0)
    stored = (np.rint(probabilities * 256).clip(0, 255) / 256).astype(np.float32)
    rejection, _ = fit_rejection(stored, labels, 0.5)
    assert rejection is not None
    assert rejection.temperature == pytest.approx(2, rel=0.1)
    assert LEAST_FLOOR < rejection.floor < 1 / 512
    figures = rejected(rejection, stored, labels)
    assert figures.error < 0.02
    assert figures.raw_error > 0.1


@pytest.mark.parametrize("share", [0.7, 0.9, 0.99])
def test_as_many_answers_as_the_share_allows_are_given(share: float) -> None:
    probabilities, labels = overconfident(1.5, 3000)
    rejection, _ = fit_rejection(probabilities, labels, share)
    assert rejection is not None
    figures = rejected(rejection, probabilities, labels)
    assert figures.selective_accuracy is not None
    assert figures.selective_accuracy >= share
    assert 0 < figures.coverage < 1
    scaled = at_temperature(probabilities, rejection.temperature, rejection.floor)
    sure, right = scaled.max(axis=1), scaled.argmax(axis=1) == labels
    for lower in np.unique(sure[sure < rejection.threshold]):
        assert right[sure >= lower].mean() < share


def test_answers_that_are_equally_sure_are_given_or_rejected_together() -> None:
    probabilities = np.repeat([[0.75, 0.25], [0.625, 0.375]], [10, 10], axis=0).astype(np.float32)
    labels = np.array([0] * 10 + [0, 1] * 5)
    rejection, _ = fit_rejection(probabilities, labels, 0.8)
    assert rejection == Rejection(0.8, 0.6875, 1.0, LEAST_FLOOR)  # half way; five mistakes fit no temperature
    assert rejected(rejection, probabilities, labels).answered == 10


def test_a_share_that_all_answers_reach_rejects_none() -> None:
    probabilities, labels = overconfident(1.0, 100)
    rejection, _ = fit_rejection(probabilities, labels, 0.01)
    assert rejection is not None
    assert rejection.threshold == 0
    assert fit_rejection(probabilities, labels, 0) == (None, "")


def test_a_share_that_no_threshold_reaches_is_said() -> None:
    probabilities = np.repeat([[0.875, 0.125]], 20, axis=0).astype(np.float32)
    rejection, missed = fit_rejection(probabilities, np.array([0] * 19 + [1]), 0.96)
    assert rejection is None
    surest = "of the surest 20 of 20 answers 0.9500 are right"
    assert missed == f"no threshold reaches --reject 0.96 on validation: {surest}; ask for less"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("damage", [float("nan"), float("inf")])
def test_a_damaged_model_gets_no_threshold(damage: float) -> None:
    probabilities, labels = overconfident(1.5, 100)
    probabilities[3, 5] = damage
    rejection, missed = fit_rejection(probabilities, labels, 0.9)
    assert rejection is None
    assert "NaN or infinite" in missed
    assert not np.isfinite(rejected(None, probabilities, labels).error)


def test_without_answers_there_is_no_selective_accuracy() -> None:
    figures = reliability(np.array([0.5]), np.array([0.5]), np.array([True]), 0.6)
    assert (figures.coverage, figures.selective_accuracy) == (0, None)
    assert figures.coverage_words(0.6) == "below 0.6000: 0 of 1 images answered (0.0%)"
    assert figures.coverage_words(0).startswith("never, the share is reached without: ")


REJECTION = Rejection(0.99, 0.9, 2.0, 1e-4)
MODELS = ("model_int8.tflite", "model_float32.onnx", "model_int8.onnx")


@pytest.fixture
def rejecting(trained: Path, tmp_path: Path) -> Path:
    """A folder with the models, to which a threshold was given."""
    for name in MODELS:
        model = read_model(trained / name)
        payload = model.data[: _end(model.data, name)]
        manifest = replace(model.manifest, rejection=REJECTION)
        (tmp_path / name).write_bytes(pack_model(payload, manifest))
    return tmp_path


def _end(data: bytes, name: str) -> int:
    """Where a converter's output ends within a model file."""
    return data.rindex(b"PK\x03\x04", 0, data.index(MEMBER.encode())) if name.endswith("tflite") else len(data)


@pytest.mark.parametrize("name", MODELS)
def test_an_answer_below_the_threshold_is_unknown(trained: Path, rejecting: Path, name: str) -> None:
    classifier, plain = Classifier(rejecting / name), Classifier(trained / name)
    data = read_dataset(trained / "evaluation.npz", plain.manifest)
    known = 0
    for image in data.images:
        prediction, other = classifier.predict(image), plain.predict(image)
        assert prediction.index == other.index
        np.testing.assert_array_equal(prediction.raw_probabilities, other.probabilities)
        expected = at_temperature(other.probabilities, 2.0, 1e-4)[other.index]
        assert prediction.probability == pytest.approx(float(expected))
        assert prediction.is_known == (expected >= 0.9)
        assert prediction.label == (other.label if expected >= 0.9 else "unknown")
        assert prediction.labels == ((other.label,) if expected >= 0.9 else ())
        assert prediction.document()["label"] == prediction.label
        known += prediction.is_known
    assert 0 < known < len(data)
    classifier.threshold = 0
    assert all(prediction.is_known for prediction in classifier.predict_batch(data.images))
    with pytest.raises(EdgecnnError, match="threshold is 1.5"):
        classifier.threshold = 1.5


def test_the_verdict_takes_no_notice_of_the_threshold(trained: Path, rejecting: Path) -> None:
    before, after = (Classifier(folder / "model_int8.tflite") for folder in (trained, rejecting))
    data = read_dataset(trained / "evaluation.npz", before.manifest)
    one, two = check(before, data), check(after, data)
    assert one.reliability is not None
    assert two.reliability is not None
    assert (one.verdict, one.accuracy, one.wrong.tolist()) == (two.verdict, two.accuracy, two.wrong.tolist())
    assert one.flips is not None
    assert two.flips is not None
    assert [one.flips.lost.tolist(), one.flips.gained.tolist()] == [two.flips.lost.tolist(), two.flips.gained.tolist()]
    assert one.reliability.coverage == 1 > two.reliability.coverage
    assert one.reliability.raw_error == one.reliability.error == two.reliability.raw_error != two.reliability.error


def test_all_commands_say_unknown_alike(trained: Path, rejecting: Path) -> None:
    """A cross, which is no digit, and the same picture with the threshold switched off."""
    model = rejecting / "model_int8.tflite"
    cross = Image.new("L", (120, 120), 255)
    for ends in ((30, 30, 90, 90), (90, 30, 30, 90)):
        ImageDraw.Draw(cross).line(ends, 0, 9)
    cross.save(rejecting / "cross.png")
    sure = ("--threshold", 0)
    for more, is_known in (((), False), (sure, True)):
        done = run_here("edgecnn", "classify", rejecting / "cross.png", "--model", model, "--json", *more)
        (answer,) = json.loads(done.stdout)
        assert (answer["label"] != "unknown") == is_known
        text = run_here("edgecnn", "classify", rejecting / "cross.png", "--model", model, *more).stdout
        assert (" unknown " not in text) == is_known
        watched = run("edgecnn", "watch", rejecting, "--frames", 1, "--model", model, *more)
        assert json.loads(watched.stdout)["label"] == answer["label"]
    facts = json.loads(run_here("edgecnn", "info", model, "--json").stdout)
    assert facts["rejection"] == {"share": 0.99, "threshold": 0.9, "temperature": 2.0, "floor": 1e-4}
    assert "below 0.9000 at temperature 2.00" in run_here("edgecnn", "info", model).stdout
    done = run_here("edgecnn", "check", model, trained / "evaluation.npz", "--json")
    document = json.loads(done.stdout)
    assert 0 < document["coverage"] < 1
    assert document["selective_accuracy"] >= document["accuracy"]
    assert document["calibration_error"] != document["raw_calibration_error"]
    text = run_here("edgecnn", "check", model, trained / "evaluation.npz").stdout
    assert "before temperature 2.00" in text
    assert "images answered" in text


@pytest.mark.parametrize(("kind", "scale", "zero_point"), [("probabilities", 1 / 256, -128), ("logits", 0.2, 5)])
def test_the_weights_of_c_give_the_same_answers(kind: str, scale: float, zero_point: int) -> None:
    random = np.random.default_rng(0)
    stored = random.integers(-128, 128, (500, 4)).astype(np.int8)
    if kind == "probabilities":
        stored = (np.rint(256 * random.dirichlet([0.3] * 4, 500)).clip(0, 255) - 128).astype(np.int8)
    tensor = TensorSpec((1, 4), np.dtype(np.int8), scale, zero_point)
    rejection = Rejection(0.9, 0.8, 1.7, 1e-4 if kind == "probabilities" else LEAST_FLOOR)
    manifest = Manifest("it", "tflite", tuple("abcd"), Input((1, 1, 1), (1.0,), (0.0,)), "0" * 64, kind)
    code = rejection_values(rejection, manifest, tensor)
    weights = np.array([float(word.strip(" \nf")) for word in code["weights"].split(",")])
    best = stored.max(axis=1, keepdims=True).astype(int)
    chosen = weights[stored - (best - 255 if kind == "logits" else -128)]
    known = chosen.max(axis=1) >= float(code["threshold"].rstrip("f")) * chosen.sum(axis=1)
    scaled = at_temperature(as_probabilities(dequantize(stored, tensor), kind), 1.7, rejection.floor).max(axis=1)
    clear = np.abs(scaled - 0.8) > 1e-5
    assert (known == (scaled >= 0.8))[clear].all()
    assert 0.1 < known.mean() < 0.9


@pytest.mark.slow
def test_a_training_and_its_conversion_each_have_a_threshold(tmp_path: Path) -> None:
    """Of two epochs one answer in ten is wrong; what an engine answers reaches the share on validation."""
    done = run("train", "--dataset", "digits", "--epochs", 2, "--reject", 0.97, "--output", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    float_model = read_model(tmp_path / "model.keras").manifest
    assert float_model.training is not None
    assert not float_model.training.trained_on_validation
    assert float_model.rejection is not None
    assert json.loads(done.stdout)["rejection"]["threshold"] == float_model.rejection.threshold > 0
    assert json.loads(done.stdout)["reliability"]["coverage"] < 1
    done = run("convert.tflite", tmp_path / "model.keras")
    assert done.returncode == 0, done.stderr
    assert "validation: unknown below 0." in done.stdout
    model = Classifier(tmp_path / "model_int8.tflite", "litert")
    assert model.manifest.rejection is not None
    assert model.manifest.rejection.share == 0.97
    assert model.manifest.rejection.threshold != float_model.rejection.threshold
    data = read_dataset(tmp_path / "validation.npz", model.manifest)
    figures = check(model, data).reliability
    assert figures is not None
    assert figures.selective_accuracy is not None
    assert 0.97 <= figures.selective_accuracy < 1
    assert 0.3 < figures.coverage < 1

    done = run("convert.tflite", tmp_path / "model.keras", "--reject", 1, "--output", tmp_path / "never.tflite")
    assert (done.returncode, (tmp_path / "never.tflite").exists()) in ((1, False), (0, True))
    assert ("NOTHING WRITTEN" in done.stdout) == (done.returncode == 1)
    done = run("convert.onnx", tmp_path / "model.keras", "--reject", 0)
    assert done.returncode == 0, done.stderr
    assert read_model(tmp_path / "model_float32.onnx").manifest.rejection is None
    with np.load(tmp_path / "validation.npz") as arrays:
        np.savez(tmp_path / "bare.npz", images=arrays["images"])
    refused(run("convert.tflite", tmp_path / "model.keras", "--validation", tmp_path / "bare.npz"), "--reject needs")
