"""Images on disk: arrays are checked where they are read, folders are read as people have them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import run

from edgecnn import EdgecnnError
from edgecnn.dataset import Dataset, Source
from edgecnn.dataset_reading import read_answered, read_dataset
from edgecnn.manifest import Input, Manifest
from edgecnn.seal import unzip_members, zip_members

PLAIN = Input((6, 8, 3), (1 / 255,), (0.0,))
PETS = Manifest("pets", "tflite", ("cat", "dog", "café"), PLAIN, "0" * 64)
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), np.uint8)
LABELS = np.arange(12) % 3


def stored(path: Path, **arrays: Any) -> Path:
    np.savez(path, images=IMAGES, **arrays)
    return path


def test_a_sample_of_images_that_are_sorted_by_class_shows_all_classes() -> None:
    data = Dataset(np.repeat(IMAGES, 10, axis=0), np.repeat(np.arange(3), 40), np.arange(120))
    sample = data.sample(16)
    assert set(np.asarray(sample.labels)) == {0, 1, 2}
    assert sample.indices.tolist() == sorted(set(sample.indices.tolist())) == data.sample(16).indices.tolist()
    assert len(data.sample(1000)) == 120


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.int64, np.uint64])
def test_whole_numbers_of_any_width_are_labels(tmp_path: Path, kind: type) -> None:
    data = read_dataset(stored(tmp_path / "a.npz", labels=LABELS.astype(kind)), PETS)
    assert data.labels is not None
    assert (data.labels.tolist(), data.labels.dtype, data.notes) == (LABELS.tolist(), np.int64, ())


def test_a_column_of_labels_is_read_with_a_note(tmp_path: Path) -> None:
    """As keras.datasets.cifar10 gives them; beside answers (n,) they would be compared each with all."""
    data = read_dataset(stored(tmp_path / "a.npz", labels=LABELS[:, np.newaxis]), PETS)
    assert data.labels is not None
    assert data.labels.tolist() == LABELS.tolist()
    assert data.notes == ("labels of shape (12, 1) are read as (12,)",)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.eye(3)[LABELS], "one-hot: labels.argmax(axis=1)"),
        (np.eye(3, dtype=int)[LABELS], "one-hot: labels.argmax(axis=1)"),
        (LABELS.astype(float), "labels.astype(int)"),
        (LABELS[:, np.newaxis].astype(np.float32), "labels.astype(int)"),
        (np.array(["cat", "dog", "café"])[LABELS], "among the model's labels"),
        (LABELS[:11], "of shape (11,) for 12 images"),
        (np.append(LABELS, 0), "of shape (13,) for 12 images"),
        (LABELS.reshape(3, 4), "of shape (3, 4)"),
        (LABELS[np.newaxis], "of shape (1, 12)"),
        (np.array(1), "of shape ()"),
        (LABELS + 1, "labels from 1 to 3; the model's are 0 to 2"),
        (LABELS - 1, "labels from -1 to 1"),
        (LABELS.astype(np.uint64) + 2**63, "the model's are 0 to 2"),
        (LABELS.astype(object), "object"),
    ],
)
def test_other_labels_are_refused_with_what_to_do(tmp_path: Path, labels: np.ndarray, words: str) -> None:
    with pytest.raises(EdgecnnError) as caught:
        read_dataset(stored(tmp_path / "a.npz", labels=labels), PETS)
    assert words in str(caught.value)


SOURCE = Source("pets", "validation", False, "0" * 64)
SHARES = np.full((12, 3), 1 / 3, np.float32) + np.eye(3, dtype=np.float32)[LABELS] / 100


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("probabilities", [None, SHARES])
@pytest.mark.parametrize("source", [None, SOURCE])
@pytest.mark.parametrize("indices", [np.arange(12) + 7, np.array([f"cat/{n}.png" for n in range(12)])])
def test_all_that_a_data_set_may_lack_is_saved_and_read(
    tmp_path: Path, labels: Any, probabilities: Any, source: Source | None, indices: np.ndarray
) -> None:
    Dataset(IMAGES, labels, indices, probabilities, source).save(tmp_path / "a.npz")
    again = read_dataset(tmp_path / "a.npz", PETS)
    assert (again.images == IMAGES).all()
    assert again.source == source
    for name, expected in (("labels", labels), ("probabilities", probabilities), ("indices", indices)):
        array = getattr(again, name)
        assert (array is None) == (expected is None)
        assert expected is None or array.tolist() == expected.tolist()


@pytest.mark.parametrize("labels", [None, LABELS])
@pytest.mark.parametrize("probabilities", [None, SHARES])
def test_a_part_of_a_data_set_keeps_each_image_with_its_own(labels: Any, probabilities: Any) -> None:
    data = Dataset(IMAGES, labels, np.arange(12) + 7, probabilities, SOURCE, {"a.png": "is empty"}, ("a note",))
    for places in (slice(3), np.array([11, 4, 5])):
        part = data.take(places)
        assert (part.source, part.unread, part.notes) == (data.source, data.unread, data.notes)
        for name in ("images", "labels", "indices", "probabilities"):
            whole, kept = getattr(data, name), getattr(part, name)
            assert kept is None if whole is None else (kept == whole[places]).all()


def test_what_needs_labels_and_answers_says_what_is_missing(tmp_path: Path) -> None:
    for labels, probabilities, words in ((None, SHARES, "no labels"), (LABELS, None, "no answers of the float model")):
        Dataset(IMAGES, labels, np.arange(12), probabilities, SOURCE).save(tmp_path / "a.npz")
        with pytest.raises(EdgecnnError, match=f"a.npz holds {words}: use the .npz"):
            read_answered(tmp_path / "a.npz", PETS)
    Dataset(IMAGES, LABELS, np.arange(12), SHARES, SOURCE).save(tmp_path / "a.npz")
    assert len(read_answered(tmp_path / "a.npz", PETS)) == 12


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": np.eye(3, dtype=int)[LABELS]}, "one-hot"),
        ({"indices": np.arange(11)}, "int64 indices of shape (11,)"),
        ({"indices": np.linspace(0, 1, 12)}, "float64 indices"),
        ({"probabilities": SHARES[:11]}, "(11, 3); wanted: finite floats of shape (12, 3)"),
        ({"probabilities": SHARES[:, :2]}, "(12, 2)"),
        ({"probabilities": SHARES * np.nan}, "finite"),
        ({"probabilities": SHARES > 0.3}, "bool"),
        ({"images": IMAGES.astype(np.float32)}, "raw pixels"),
        ({"images": IMAGES[:, :5]}, "images of 5x8x3, the model takes 6x8x3"),
        ({"images": IMAGES[:0], "labels": None, "probabilities": None, "indices": np.arange(0)}, "holds no images"),
    ],
)
def test_a_seal_does_not_make_arrays_fit(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    sound = Dataset(IMAGES, LABELS, np.arange(12), SHARES, SOURCE)
    replace(sound, **change).save(tmp_path / "a.npz")
    with pytest.raises(EdgecnnError) as caught:
        read_dataset(tmp_path / "a.npz", PETS)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x_test": IMAGES, "y_test": LABELS}, "no array images, but x_test, y_test: np.savez("),
        ({"images": IMAGES, "labels": LABELS.astype(object)}, "it holds Python objects: store numbers"),
        ({}, "no array images, but nothing"),
    ],
)
def test_arrays_under_other_names_are_named(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(EdgecnnError) as caught:
        read_dataset(tmp_path / "a.npz", PETS)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a": 1}', b"[1]", b"NaN", b"0", b"", b"\xff", b'{"a": 1e999}'])
def test_a_damaged_source_is_refused(tmp_path: Path, text: bytes) -> None:
    Dataset(IMAGES, LABELS, np.arange(12)).save(tmp_path / "a.npz")
    members = unzip_members((tmp_path / "a.npz").read_bytes())
    (tmp_path / "a.npz").write_bytes(zip_members(members | {"dataset.json": text}))
    with pytest.raises(EdgecnnError, match="a.npz is not a data set of edgecnn"):
        read_dataset(tmp_path / "a.npz", PETS)


def one_colour(level: int) -> np.ndarray:
    return np.full_like(IMAGES, level)


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (one_colour(0), "all 12 images are black"),
        (one_colour(90), "all 12 images are the same"),
        (np.repeat(IMAGES[:1], 12, axis=0), "all 12 images are the same"),
        (np.concatenate([IMAGES[:6], one_colour(7)[:3], one_colour(8)[:3]]), "6 of 12 images are of one colour"),
    ],
)
def test_images_that_show_nothing_get_a_note(tmp_path: Path, images: np.ndarray, words: str) -> None:
    np.savez(tmp_path / "a.npz", images=images)
    assert read_dataset(tmp_path / "a.npz", PETS).notes == (words,)


def test_a_float_model_that_gives_one_answer_gets_a_note(tmp_path: Path) -> None:
    same = np.tile(np.float32([0.1, 0.7, 0.2]), (12, 1))
    Dataset(IMAGES, LABELS, np.arange(12), same, SOURCE).save(tmp_path / "a.npz")
    assert read_dataset(tmp_path / "a.npz", PETS).notes == ("the float model gives all 12 images one answer, dog",)


def test_a_conversion_says_by_what_it_was_judged(trained: Path, tmp_path: Path) -> None:
    """Black images without labels: every model agrees with its parent on them."""
    np.savez(tmp_path / "black.npz", images=np.zeros((20, 28, 28, 1), np.uint8))
    words = ("convert.onnx", trained / "model.keras", "--output", tmp_path / "a.onnx")
    done = run(*words, "--validation", tmp_path / "black.npz")
    assert done.returncode == 0, done.stderr
    (model,) = json.loads((tmp_path / "models.json").read_text())["models"]
    notes = model["engines"]["onnx"]["validation"]["notes"]
    assert notes[:2] == [
        "all 20 images are black",
        "without labels: the float model's own answers are taken as right",
    ]
    assert notes[2].startswith("the float model gives all 20 images one answer, ")
    assert set(notes) <= set(done.stdout.splitlines())
    warnings = [line for line in done.stderr.splitlines() if line.startswith("warning")]
    assert warnings == [f"warning: validation: {note}" for note in notes]


def test_an_image_of_several_labels_has_one_number_a_label(tmp_path: Path) -> None:
    several = replace(PETS, output="sigmoids")
    marks = np.random.default_rng(0).integers(0, 2, (12, 3))
    for kind in (np.uint8, np.int64, bool):
        data = read_dataset(stored(tmp_path / "a.npz", labels=marks.astype(kind)), several)
        assert data.labels is not None
        assert data.labels.tolist() == marks.tolist()
    for labels in (marks + 1, marks[:, :2], marks[:, 0], marks.astype(float)):
        with pytest.raises(EdgecnnError, match="holds labels"):
            read_dataset(stored(tmp_path / "a.npz", labels=labels), several)
