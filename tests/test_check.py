"""`edgecnn check`: a model on labelled images."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
from conftest import refused, run_here
from PIL import Image

from edgecnn import Classifier
from edgecnn.check import check
from edgecnn.dataset_reading import read_dataset
from edgecnn.manifest import Baseline


def test_a_sound_model_passes_and_a_spoilt_one_fails(copied: Path) -> None:
    """Weights of the last convolution zeroed in the file: the seal is renewed, so only `check` can see it."""
    from edgecnn.modelfile import pack_model, read_model

    sound = run_here("edgecnn", "check", copied / "model_float32.onnx", copied / "evaluation.npz", "--json")
    assert sound.returncode == 0, sound.stderr
    assert json.loads(sound.stdout)["verdict"] == "PASS"

    import onnx
    from onnx import numpy_helper

    model = read_model(copied / "model_float32.onnx")
    proto = onnx.load_from_string(model.data)
    kernel = next(array for array in proto.graph.initializer if list(array.dims) == [64, 64, 3, 3])
    kernel.CopyFrom(numpy_helper.from_array(np.zeros((64, 64, 3, 3), np.float32), kernel.name))
    del proto.metadata_props[:]
    (copied / "spoilt.onnx").write_bytes(pack_model(proto.SerializeToString(), model.manifest))
    spoilt = run_here("edgecnn", "check", copied / "spoilt.onnx", copied / "evaluation.npz")
    assert spoilt.returncode == 1
    assert "FAIL" in spoilt.stdout
    assert "right answers fewer than the float model" in spoilt.stdout


def test_flipped_images_are_named_by_their_index(trained: Path) -> None:
    classifier = Classifier(trained / "model_int8.tflite")
    data = read_dataset(trained / "evaluation.npz", classifier.manifest)
    assert data.probabilities is not None
    wrong = replace(data, probabilities=np.roll(data.probabilities, 1, axis=1))  # a parent that errs on what we know
    report = check(classifier, wrong)
    assert report.flips is not None
    assert len(report.flips.gained) == report.correct
    assert report.flips.net_loss < 0


def test_a_baseline_needs_images_of_its_data_set(trained: Path) -> None:
    classifier = Classifier(trained / "model_int8.tflite")
    classifier.manifest = replace(classifier.manifest, baseline=Baseline(1.0, 0.0))
    data = read_dataset(trained / "validation.npz", classifier.manifest)
    assert data.source is not None
    assert check(classifier, data).baseline is not None
    assert check(classifier, replace(data, source=replace(data.source, dataset="other"))).baseline is None


def test_answers_of_another_training_are_refused(copied: Path) -> None:
    classifier = Classifier(copied / "model_int8.tflite")
    data = read_dataset(copied / "validation.npz", classifier.manifest)
    assert data.source is not None
    replace(data, source=replace(data.source, weights_sha256="0" * 64)).save(copied / "other.npz")
    refused(run_here("edgecnn", "check", copied / "model_int8.tflite", copied / "other.npz"), "another float model")


def test_a_folder_of_class_folders_is_checked(trained: Path, tmp_path: Path) -> None:
    data = read_dataset(trained / "evaluation.npz", Classifier(trained / "model_int8.tflite").manifest)
    for number in range(60):
        folder = tmp_path / "images" / str(data.labels[number])
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(255 - data.images[number, ..., 0]).resize((84, 84)).save(folder / f"{number}.png")
    done = run_here("edgecnn", "check", trained / "model_int8.tflite", tmp_path / "images", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert (document["images"], document["flips"], document["verdict"]) == (60, None, "NONE")
    assert document["accuracy"] > 0.8
    assert sum(score["images"] for score in document["classes"].values()) == 60
    assert sum(pair["images"] for pair in document["confused"]) == len(document["mistakes"])
    wrong = [name.split("/") for name in document["mistakes"]]
    assert len(wrong) == 60 - round(60 * document["accuracy"])
    assert all(data.labels[int(name.removesuffix(".png"))] == int(label) for label, name in wrong)
    blank, cut = tmp_path / "images" / "3" / "blank.png", tmp_path / "images" / "5" / "cut.png"
    Image.new("L", (40, 40), 200).save(blank)
    cut.write_bytes(b"\x89PNG\r\n")
    again = run_here("edgecnn", "check", trained / "model_int8.tflite", tmp_path / "images", "--json")
    spoilt = json.loads(again.stdout)
    assert again.returncode == 0
    assert (spoilt["images"], spoilt["mistakes"]) == (60, document["mistakes"])
    assert list(spoilt["left_out"]) == ["3/blank.png", "5/cut.png"]
    shown = run_here("edgecnn", "check", trained / "model_int8.tflite", tmp_path / "images").stdout
    assert "3/blank.png: is blank" in shown
    assert "NONE   no baseline" in shown
    assert re.search(r"class +images +precision +recall +F1\n", shown)
    assert "2 of 62 images left out: 3/blank.png, 5/cut.png" in shown
    (tmp_path / "images" / "eleven").mkdir()
    Image.fromarray(data.images[0, ..., 0]).save(tmp_path / "images" / "eleven" / "0.png")
    refused(
        run_here("edgecnn", "check", trained / "model_int8.tflite", tmp_path / "images"),
        "eleven",
        "a folder for each label",
    )
    (tmp_path / "empty").mkdir()
    refused(run_here("edgecnn", "check", trained / "model_int8.tflite", tmp_path / "empty"), "no images in it")


def test_a_column_of_labels_judges_as_a_row_does(copied: Path) -> None:
    """A model that knows one answer is right on one image in ten, and not on every image of this label."""
    data = read_dataset(copied / "evaluation.npz", Classifier(copied / "model_int8.tflite").manifest)
    assert data.labels is not None
    rolled = np.roll(data.labels, 1)
    accuracies = []
    for labels in (rolled, rolled[:, np.newaxis]):
        np.savez(copied / "other.npz", images=data.images, labels=labels)
        done = run_here("edgecnn", "check", copied / "model_int8.tflite", copied / "other.npz", "--json")
        accuracies.append(json.loads(done.stdout)["accuracy"])
    assert accuracies[0] == accuracies[1] < 0.3
    assert json.loads(done.stdout)["notes"] == [f"labels of shape ({len(data)}, 1) are read as ({len(data)},)"]


def test_damaged_data_is_refused_with_both_hashes(copied: Path) -> None:
    path = copied / "validation.npz"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refused(run_here("edgecnn", "check", copied / "model_int8.tflite", path), "damaged: SHA-256", "expected", "found")
    path.write_bytes(data[: len(data) // 2])
    refused(run_here("edgecnn", "check", copied / "model_int8.tflite", path), "cut short")
    refused(run_here("edgecnn", "check", copied / "model_int8.tflite", copied / "none.npz"), "none.npz cannot be read")
