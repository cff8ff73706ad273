"""Training writes all files that conversion and devices need, and can be interrupted and resumed."""

import io
import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, refused, run
from PIL import Image

from edgecnn.dataset_reading import read_dataset
from edgecnn.modelfile import read_model
from train.datasets import digits
from train.pictures import gallery
from train.recipes import RECIPES


@pytest.mark.parametrize(("images", "epochs"), [(10, 6), (10_000, 4), (20_000, 2), (50_000, 1), (1_000_000, 1)])
def test_few_images_are_seen_more_often(images: int, epochs: int) -> None:
    assert replace(digits(), train_images=np.empty((images, 1, 1, 1), np.uint8)).repeats == epochs


def test_a_longer_training_is_as_patient() -> None:
    assert [RECIPES["photos"].patience_of(epochs) for epochs in (1, 60, 240)] == [1, 30, 120]
    assert RECIPES["best"].patience_of(40) is None


def test_all_files_are_there(trained: Path) -> None:
    manifest = read_model(trained / "model.keras").manifest
    training = digits()
    seen = set()
    for split in ("calibration", "validation", "evaluation"):
        data = read_dataset(trained / f"{split}.npz", manifest)
        assert data.source is not None
        assert data.probabilities is not None
        assert data.source.split == split
        assert data.source.trained_on == (split != "evaluation")
        assert data.probabilities.shape == (len(data), 10)
        images, labels = (
            (training.test_images, training.test_labels)
            if split == "evaluation"
            else (training.train_images, training.train_labels)
        )
        assert (images[data.indices] == data.images).all()
        assert (labels[data.indices] == data.labels).all()
        accuracy = float((data.probabilities.argmax(1) == data.labels).mean())
        assert manifest.training is not None
        assert manifest.training.accuracy[split] == accuracy > 0.85
        if split != "evaluation":
            assert seen.isdisjoint(data.indices.tolist())
            seen |= set(data.indices.tolist())
    history = json.loads((trained / "history.json").read_text())
    assert len(history["loss"]) == len(history["accuracy"]) == 30  # six times the recipe's five
    assert "93,322" in (trained / "summary.txt").read_text()
    for picture in ("curves", "confusion", "mistakes"):
        with Image.open(trained / f"{picture}.png") as opened:
            assert opened.size[0] > 600
    assert list((trained / "logs").glob("events.out.tfevents.*"))
    assert not (trained / "checkpoint.zip").exists()


def test_numpy_reads_the_data_files_too(trained: Path) -> None:
    with np.load(trained / "validation.npz") as plain:
        assert plain["images"].dtype == np.uint8
        assert set(plain) >= {"images", "labels", "indices", "probabilities"}


def test_auto_warns_that_it_trains_on_digits(tmp_path: Path) -> None:
    """No folder, an empty cache, and a proxy that refuses every connection."""
    nothing = {"MNIST_DIR": "", "XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = run("train", "--epochs", 1, "--output", tmp_path / "out", env=nothing)
    assert done.returncode == 0, done.stderr
    assert ">>> MNIST IS NOT HERE" in done.stderr
    assert "THE 0.99 BASELINE DOES NOT APPLY" in done.stderr
    training = read_model(tmp_path / "out" / "model.keras").manifest.training
    assert training is not None
    assert training.dataset == "digits"


@pytest.mark.slow
def test_early_stop_keeps_the_best_epoch(tmp_path: Path) -> None:
    words = ("train", "--dataset", "digits", "--patience", 1, "--learning-rate", 0.01, "--output", tmp_path, "--json")
    done = run(*words)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    accuracies = json.loads((tmp_path / "history.json").read_text())["val_accuracy"]
    assert document["epochs"] == len(accuracies) < 30
    assert document["accuracy"]["validation"] == max(accuracies)
    assert accuracies[-1] <= max(accuracies[:-1])


@pytest.mark.slow
def test_rare_classes_weigh_more_and_the_changes_are_shown(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label, count in (("dark", 90), ("light", 30)):
        (tmp_path / "shades" / label).mkdir(parents=True)
        for number in range(count):
            shades = random.integers(0, 100, (20, 20), np.uint8) + (150 if label == "light" else 0)
            Image.fromarray(shades.astype(np.uint8)).save(tmp_path / "shades" / label / f"{number}.png")
    words = (
        "train",
        "--dataset",
        tmp_path / "shades",
        "--recipe",
        "photos",
        "--epochs",
        1,
        "--output",
        tmp_path / "out",
    )
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert "an image of light weighs 3.0 times as much as one of dark" in done.stderr
    with Image.open(tmp_path / "out" / "augmented.png") as opened:
        assert opened.size[0] > 600


def test_long_labels_over_neighbouring_pictures_do_not_touch() -> None:
    caption, white = "automobile → a very long label indeed  0.98", np.full((8, 8, 8), 255, np.uint8)
    drawn = gallery("", white, np.arange(8), [caption] * 8, ["folder/of/a_picture_with_a_name.jpg"] * 8)
    with Image.open(io.BytesIO(drawn)) as picture:
        pixels = np.asarray(picture.convert("L"))
    between = np.linspace(0, pixels.shape[1], 9).round().astype(int)[1:-1]
    assert (pixels[:, between] == 255).all()
    assert (pixels < 128).any()


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_with_a_line(tmp_path: Path) -> None:
    words = ("train", "--dataset", "digits", "--learning-rate", "1e9", "--output", tmp_path)
    refused(run(*words), "the loss became nan", "--learning-rate")
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.slow
def test_a_small_network_learns_from_larger_ones(tmp_path: Path) -> None:
    """The recipe `best` on digits, one epoch of each network; another seed takes the teachers from the cache."""
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = ("train", "--recipe", "best", "--dataset", "digits", "--epochs", 1, "--json", "--output", tmp_path / "out")
    kept = []
    for seed in (0, 1):
        done = run(*words, "--seed", seed, env=cache)
        assert done.returncode == 0, done.stderr
        kept.append(
            {path: path.stat().st_mtime for path in (tmp_path / "cache" / "edgecnn").rglob("*") if path.is_file()}
        )
    assert len(kept[0]) == 6  # two teachers with their logs, a distorted copy, the answers to it
    assert kept[1] == kept[0]
    assert "93,322" in (tmp_path / "out" / "summary.txt").read_text()  # batch normalization is folded away
    training = read_model(tmp_path / "out" / "model.keras").manifest.training
    assert training is not None
    assert (training.recipe, training.seed, training.trained_on_validation) == ("best", 1, False)


def test_faster_layers_train_as_those_of_the_model() -> None:
    done = run(ROOT / "tests/fast_layers.py")
    assert done.returncode == 0, done.stderr
    networks = json.loads(done.stdout)
    counts = {name: (facts["_Normalization"], facts["_Pointwise"]) for name, facts in networks.items()}
    plain = (0, 0)  # convolutions in groups; float16
    assert counts == {"resnet8": (9, 2), "grouped": plain, "mixed": plain, "shared": (1, 2), "frozen": (2, 2)}
    for facts in networks.values():
        assert facts["difference"] < 1e-3


@pytest.mark.slow
def test_batch_normalization_ends_with_the_statistics_of_unchanged_images() -> None:
    done = run(ROOT / "tests/unchanged_statistics.py")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert max(document["batches"].values()) < 5e-3
    assert document["batches"]["rests"] == 0
    assert max(document["recipes"].values()) < 1e-3
    assert document["changed"] > 1e-2


def test_gradients_of_strides_over_single_pixels_are_right() -> None:
    """In a process of its own, which died without the product that stands for them."""
    done = run(ROOT / "tests/strided_pointwise.py")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert max(document["fast"], document["rounded"]) < 1e-3
    assert document["least"] > 1e-1


def test_a_teacher_counts_as_much_at_every_temperature_and_only_kernels_decay() -> None:
    """For logits of mean 0 the gradient is about (student's - teacher's logit) / classes: Hinton et al., 2.1."""
    done = run(ROOT / "tests/optimization.py")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    expected = -np.array([0.3, -0.1, 0.2, -0.4]) / 4
    for gradient in document["gradients"]:
        assert np.abs(gradient - expected).max() < 0.05 * np.abs(expected).max()
    assert document["decayed"] == [["kernel"], ["kernel"]]


def test_batch_normalization_is_folded_away() -> None:
    """In a process of its own: this one never loads TensorFlow."""
    done = run(ROOT / "tests/folding.py")
    assert done.returncode == 0, done.stderr
    off, spread = map(float, done.stdout.split())
    assert off < 1e-5 < spread


def test_images_for_validation_have_no_part_in_the_fit() -> None:
    """Changing their labels changes no weight; only the tutorial's recipe is fitted to them too."""
    done = run(ROOT / "tests/held_out.py")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "tutorial": True,
        "tutorial, early stopping": False,
        "best": False,
        "small": False,
        "photos": False,
        "teacher": False,
    }


def weights(folder: Path) -> str:
    return read_model(folder / "model.keras").manifest.weights_sha256


@pytest.mark.slow
def test_a_training_that_is_killed_goes_on_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    """By the recipe with the most state, that of `photos`.

    In between the disk is full (a limit on the size of files stands in for that), and an option differs.
    """
    words = ("--dataset", "digits", "--recipe", "photos", "--epochs", 3, "--seed", 3)
    left_alone, cut_off = tmp_path / "left_alone", tmp_path / "cut_off"
    assert run("train", *words, "--output", left_alone).returncode == 0
    assert run(ROOT / "tests/killed.py", *words, "--output", cut_off).returncode == -signal.SIGKILL
    again = ("train", *words, "--resume", "--output", cut_off)
    checkpoint = (cut_off / "checkpoint.zip").read_bytes()
    refused(run(*again, file_size=100_000), "checkpoint.zip", "File too large")
    refused(run(*again, "--seed", 4), "seed 3, not 4")
    assert (cut_off / "checkpoint.zip").read_bytes() == checkpoint
    done = run(*again)
    assert done.returncode == 0, done.stderr
    assert weights(cut_off) == weights(left_alone)
    history = [json.loads((folder / "history.json").read_text()) for folder in (left_alone, cut_off)]
    assert history[0] == history[1]
    assert len(history[0]["loss"]) == 3


@pytest.mark.slow
def test_nothing_to_resume_gets_a_line(tmp_path: Path) -> None:
    words = ("train", "--dataset", "digits", "--resume", "--output", tmp_path)
    refused(run(*words), "nothing to resume", "leave --resume away")
    (tmp_path / "checkpoint.zip").write_bytes(b"PK\x05\x06 not a checkpoint")
    refused(run(*words), "checkpoint.zip", "damaged")
