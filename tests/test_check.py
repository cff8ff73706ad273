"""Accuracy, intervals, flips and the verdict."""

import json
import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import refused, run_here
from PIL import Image

from edgecnn import Classifier, EdgecnnError
from edgecnn.check import check
from edgecnn.confidence import loss_interval, mcnemar, wilson
from edgecnn.dataset_reading import read_dataset
from edgecnn.flips import find_flips, lost_and_gained
from edgecnn.manifest import Baseline
from edgecnn.verdict import allowed_loss, judge


@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [(9895, 10000, 0.98730, 0.99132), (0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (50, 100, 0.40383, 0.59617)],
)
def test_wilson_gives_the_published_interval(correct: int, images: int, low: float, high: float) -> None:
    assert wilson(correct / images, images) == pytest.approx((low, high), abs=1e-5)


@pytest.mark.parametrize(
    ("max_drop", "images", "allowed"),
    [(0.005, 5000, 25), (0.005, 199, 1), (0.005, 399, 1), (0.005, 400, 2), (0.29, 100, 29), (0.0, 1000, 1)],
)
def test_the_allowed_loss_is_a_floor_of_at_least_one(max_drop: float, images: int, allowed: int) -> None:
    assert allowed_loss(max_drop, images) == allowed


@pytest.mark.parametrize(("lost", "gained", "p"), [(0, 0, 1), (10, 0, 0.001953125), (5, 3, 0.7265625), (4, 4, 1)])
def test_mcnemar_is_exact(lost: int, gained: int, p: float) -> None:
    assert mcnemar(lost, gained) == pytest.approx(p)


@pytest.mark.parametrize("lost", [0, 1, 7, 40, 300, 1000])
@pytest.mark.parametrize("gained", [0, 2, 45, 290, 1000])
def test_mcnemar_equals_the_sum_of_whole_numbers(lost: int, gained: int) -> None:
    tail = sum(math.comb(lost + gained, k) for k in range(min(lost, gained) + 1))
    exact = min(Fraction(1), Fraction(2 * tail, 2 ** (lost + gained)))
    assert mcnemar(lost, gained) == pytest.approx(float(exact), rel=1e-12)


def test_mcnemar_takes_a_million_flips_each_way() -> None:
    """The sum of whole numbers would not end today. Expected: the normal approximation, which is good to 1e-5 here."""
    assert mcnemar(1_000_000, 1_000_000) == 1
    z = (2_000 - 1) / math.sqrt(1_998_000)
    assert mcnemar(1_000_000, 998_000) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-4)
    assert mcnemar(1_000_000, 0) == 0


@pytest.mark.parametrize("shares", [(0.012, 0.004), (0.2, 0.1), (0.005, 0.005)])
@pytest.mark.parametrize("images", [100, 1000])
def test_nineteen_in_twenty_intervals_hold_the_true_loss(images: int, shares: tuple[float, float]) -> None:
    drawn = np.random.default_rng(0).multinomial(images, (*shares, 1 - sum(shares)), 2000)
    intervals = np.array([loss_interval(lost, gained, images) for lost, gained, _ in drawn.tolist()])
    held = (intervals[:, 0] <= shares[0] - shares[1]) & (shares[0] - shares[1] <= intervals[:, 1])
    assert 0.94 < held.mean() <= 1
    assert (intervals[:, 1] - intervals[:, 0]).mean() < 7 * np.sqrt(sum(shares) / images + 1 / images**2)


def test_flips_are_told_apart() -> None:
    flips = find_flips(labels=[1, 1, 1, 1, 1, 1], parent=[1, 1, 2, 2, 2, 1], child=[1, 2, 1, 2, 3, 2])
    assert [places.tolist() for places in (flips.lost, flips.gained, flips.changed)] == [[1, 5], [2], [4]]
    assert (flips.net_loss, flips.count) == (1, 4)
    assert (lost_and_gained(2, 1), lost_and_gained(0, 3), lost_and_gained(0, 0)) == ("-2 +1", "-0 +3", "none")


def test_each_rule_can_fail() -> None:
    labels = np.zeros(1000, int)
    parent, child = labels.copy(), labels.copy()
    child[:6] = 1
    assert judge(labels, parent, child, None).verdict == "FAIL"  # 6 lost, 5 allowed
    assert judge(labels, parent, child, None, max_drop=0.006).verdict == "PASS"
    parent[:3] = 1
    assert judge(labels, parent, child, None).verdict == "PASS"  # 3 net
    baseline = Baseline(0.999, 0.005)
    assert judge(labels, None, child, baseline).verdict == "PASS"  # 0.994 is just enough
    child[6] = 1
    assert judge(labels, None, child, baseline).failures == ("accuracy 0.9930 is below 0.9940 (0.999 - 0.005)",)
    assert judge(labels, None, child, None).verdict == "NONE"


def test_a_loss_within_chance_fails_and_says_so() -> None:
    labels = np.zeros(300, int)
    child = labels.copy()
    child[:2] = 1
    report = judge(labels, labels, child, None)
    assert report.verdict == "FAIL"
    (note,) = report.notes
    assert "within chance: 300 images put the loss between -0.0063 and 0.0196" in note
    assert "about 2,100 would decide" in note
    assert "would decide" not in judge(labels, labels, child, None, max_drop=0.0).notes[0]
    child[:40] = 1
    assert judge(labels, labels, child, None).notes == ()  # beyond doubt
    child[:] = 0
    assert judge(labels, labels, child, None).notes == ()  # passed
    child[:3] = 1
    (note,) = judge(labels, None, child, Baseline(0.999, 0.005)).notes
    assert "put the accuracy between 0.9710 and 0.9966" in note


def test_answers_of_another_shape_are_refused() -> None:
    """Labels (n, 1) beside answers (n,) would all be compared with one another, and nearly every model be right."""
    labels, answers = np.arange(10), np.zeros(10, int)
    for one, other, third in (
        (labels[:, np.newaxis], answers, answers),
        (labels, answers[:, np.newaxis], answers),
        (labels, answers, answers[:9]),
        (labels, answers[:1], answers),
        (labels[0], answers[0], answers[0]),
        (np.eye(10), answers, answers),
        (labels[:0], answers[:0], answers[:0]),
    ):
        with pytest.raises(EdgecnnError):
            judge(one, other, third, None)


def test_an_image_of_several_labels_is_right_where_all_are() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    parent = np.array([[1, 0], [1, 1], [0, 1], [1, 0]])
    child = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    report = judge(labels, parent, child, None)
    assert report.flips is not None
    assert report.correct == 2
    assert [places.tolist() for places in (report.flips.lost, report.flips.gained, report.flips.changed)] == [
        [1],
        [2],
        [3],
    ]


@pytest.mark.parametrize("drop", [float("nan"), float("inf"), -0.1, 1.1, "0.1"])
def test_a_drop_that_is_no_share_lets_nothing_pass(drop: Any) -> None:
    wrong = np.ones(10, int)
    with pytest.raises(EdgecnnError, match="max_drop is .*, not a number from 0 to 1"):
        judge(np.zeros(10, int), np.zeros(10, int), wrong, None, max_drop=drop)


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
