"""A classifier answers as its float parent does, and refuses what it cannot take."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn import Classifier, EdgecnnError
from edgecnn.cpu import cores
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_dataset
from edgecnn.engines import ENGINES, engines_for, packaged
from edgecnn.errors import EdgecnnWarning
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Input
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.pixels import dequantize, input_table, normalize, stored_pixels

INT8_STEPS = 6 / 256  # of probability: what int8 may cost a tiny model


def engines_and_models() -> list[tuple[str, str]]:
    files = {"tflite": ["model_int8.tflite"], "onnx": ["model_float32.onnx", "model_int8.onnx"]}
    return [(kind.name, name) for kind in packaged() if kind.installed for name in files[kind.format]]


def evaluation(folder: Path) -> Dataset:
    return read_dataset(folder / "evaluation.npz", read_model(folder / "model.keras").manifest)


@pytest.mark.parametrize(("engine", "name"), engines_and_models())
def test_every_engine_answers_as_keras_did(trained: Path, engine: str, name: str) -> None:
    data = evaluation(trained)
    assert data.probabilities is not None
    classifier = Classifier(trained / name, engine)
    answers = np.stack([prediction.probabilities for prediction in classifier.predict_batch(data.images)])
    exact = "float32" in name
    assert np.abs(answers - data.probabilities).max() < (1e-5 if exact else 0.25)
    assert np.abs(answers - data.probabilities).mean() < (1e-6 if exact else INT8_STEPS)
    assert (answers.argmax(1) != data.probabilities.argmax(1)).mean() <= (0 if exact else 0.02)


def test_a_prediction_says_what_it_is(trained: Path) -> None:
    data = evaluation(trained)
    classifier = Classifier(trained / "model_int8.tflite")
    other = int(np.flatnonzero(data.labels != data.labels[0])[0])
    first, second = classifier.predict(data.images[0]), classifier.predict(data.images[other])
    assert first.label == str(first.index) == classifier.manifest.labels[first.index]
    assert first.probability == first.probabilities[first.index] == first.probabilities.max()
    assert first.probabilities.dtype == np.float32
    again = classifier.predict(data.images[0, ..., 0])  # (28, 28) is as good as (28, 28, 1)
    assert again.probabilities.tolist() == first.probabilities.tolist()
    assert second.probabilities.tolist() != first.probabilities.tolist()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((28, 28), np.float32),
        np.zeros((28, 28), np.int64),
        np.zeros((27, 28), np.uint8),
        np.zeros((28, 28, 3), np.uint8),
        np.zeros((1, 28, 28, 1), np.uint8),
        np.zeros(0, np.uint8),
    ],
)
def test_a_wrong_image_is_refused(trained: Path, image: np.ndarray) -> None:
    with pytest.raises(EdgecnnError, match="this model takes raw pixels: uint8 28x28x1, 0 to 255"):
        Classifier(trained / "model_int8.tflite").predict(image)


def test_the_cure_names_engines(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    onnx, tflite = trained / "model_float32.onnx", trained / "model_int8.tflite"
    with pytest.raises(EdgecnnError, match="engine 'litert' runs .tflite files.*use onnx"):
        Classifier(onnx, "litert")
    with pytest.raises(EdgecnnError, match="engine 'onnx' runs .onnx files.*use litert or tflite"):
        Classifier(tflite, "onnx")
    with pytest.raises(EdgecnnError, match="no engine 'lite'.*litert, tflite, onnx"):
        Classifier(tflite, "lite")
    with pytest.raises(EdgecnnError, match="keras model, for training: convert it"):
        Classifier(trained / "model.keras")
    with pytest.raises(EdgecnnError, match="threads is 0"):
        Classifier(tflite, threads=0)
    for name in ("litert", "tflite"):
        monkeypatch.setitem(ENGINES, name, replace(ENGINES[name], module="not_installed"))
    with pytest.raises(EdgecnnError, match="'litert' is not installed: pip install ai-edge-litert"):
        Classifier(tflite, "litert")
    with pytest.raises(EdgecnnError, match="no engine for .* is installed: pip install ai-edge-litert"):
        Classifier(tflite)


def test_a_file_that_the_engine_refuses_is_named(trained: Path) -> None:
    model = read_model(trained / "model_int8.tflite")
    broken = ModelFile(model.path, b"\0\0\0\0TFL3" + bytes(64), model.manifest)
    with pytest.raises(EdgecnnError, match=r"model_int8\.tflite cannot be run"):
        Classifier.of(broken, "litert")


def test_a_model_that_is_not_what_its_manifest_says_is_refused(trained: Path) -> None:
    model = read_model(trained / "model_int8.tflite")
    with pytest.raises(EdgecnnError, match="not what its manifest says"):
        Classifier.of(replace(model, manifest=replace(model.manifest, labels=("a", "b"), reference=None)))


def test_auto_takes_the_best_engine_that_is_there() -> None:
    assert engines_for("tflite", "it")[0] == "litert"
    assert engines_for("onnx", "it") == ["onnx"]


def test_pixels_become_input_values_in_one_way() -> None:
    plain = Input((2, 2, 1), (1 / 255,), (0.0,))
    colour = Input((1, 2, 3), (1 / 255, 2.0, 0.5), (0.0, -1.0, 3.0))
    int8 = TensorSpec((1, 2, 2, 1), np.dtype(np.int8), 1 / 255, -128)
    table = input_table(plain, int8)
    assert table is not None
    assert table.tolist() == [list(range(-128, 128))]
    assert input_table(replace(plain, raw=True), int8) is None
    images = np.array([[[[0, 1, 2], [255, 254, 253]]]], np.uint8)
    floats = TensorSpec((1, 1, 2, 3), np.dtype(np.float32))
    np.testing.assert_allclose(stored_pixels(images, colour, floats), normalize(images, colour), rtol=1e-6)
    assert stored_pixels(images[..., :1], plain, int8).ravel().tolist() == [-128, 127]
    assert stored_pixels(images, replace(colour, raw=True), floats) is images
    assert normalize(images, colour)[0, 0, 1].tolist() == [1.0, 507.0, 129.5]
    halves = TensorSpec((2,), np.dtype(np.int8), 0.5, -128)
    assert dequantize(np.array([-128, 127], np.int8), halves).tolist() == [0, 127.5]


@pytest.mark.parametrize("count", ["2", 0, -1, 1.5, None])
def test_counts_that_are_none_are_told(count: Any) -> None:
    if count is not None:  # as many as `edgecnn tune` chose
        with pytest.raises(EdgecnnError, match=r"threads is .*, not a whole number of 1 or more"):
            Classifier(threads=count)
    with pytest.raises(EdgecnnError, match=r"workers is .*, not a whole number of 1 or more"):
        Classifier().predict_batch([], workers=count)


def test_no_more_threads_run_than_there_are_cores() -> None:
    with pytest.warns(EdgecnnWarning, match=f"threads is 1000000, and this process may use {cores()}"):
        assert Classifier(threads=1_000_000).threads == cores()
    before = threading.active_count()
    images = (np.zeros((28, 28), np.uint8) for _ in range(2000))
    with pytest.warns(EdgecnnWarning, match="workers is 1000000"):
        answers = Classifier().predict_batch(images, workers=1_000_000)
    next(answers)
    assert threading.active_count() <= before + cores()
    assert sum(1 for _ in answers) == 1999


def test_a_classifier_that_another_thread_closes_is_told() -> None:
    """Whatever moment it is closed at, the threads that are at work get a line."""
    errors: list[BaseException] = []
    classifier = Classifier()

    def work() -> None:
        try:
            while True:
                classifier.predict(np.zeros((28, 28), np.uint8))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    classifier.close()
    for thread in threads:
        thread.join()
    assert {str(error) for error in errors} == {"this classifier is closed: open the model again"}
    assert len(errors) == 4
