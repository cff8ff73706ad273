"""Training writes all that conversion and devices need, and says what it did."""

import json
from pathlib import Path

import numpy as np
from conftest import run
from PIL import Image

from edgecnn.dataset import read_dataset
from edgecnn.modelfile import read_model
from train.datasets import digits
from train.recipes import RECIPES, Recipe
from train.splits import fitted_indices, split_off


def test_all_files_are_there(trained: Path) -> None:
    manifest = read_model(trained / "model.keras").manifest
    training = digits(None)
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
        found = float((data.probabilities.argmax(1) == data.labels).mean())
        assert manifest.training is not None
        assert manifest.training.accuracy[split] == found > 0.85
        if split != "evaluation":
            assert seen.isdisjoint(data.indices.tolist())
            seen |= set(data.indices.tolist())
    history = json.loads((trained / "history.json").read_text())
    assert len(history["loss"]) == len(history["accuracy"]) == 30  # six times the recipe's five
    assert "93,322" in (trained / "summary.txt").read_text()
    with Image.open(trained / "curves.png") as picture:
        assert picture.size[0] > 600


def test_numpy_reads_the_data_files_too(trained: Path) -> None:
    with np.load(trained / "validation.npz") as plain:
        assert plain["images"].dtype == np.uint8
        assert set(plain) >= {"images", "labels", "indices", "probabilities"}


def test_mnist_splits_are_what_is_promised() -> None:
    calibration, validation = split_off(60000)
    assert (len(calibration), len(validation)) == (1000, 5000)
    assert not set(calibration) & set(validation)
    assert len(fitted_indices(60000, RECIPES["tutorial"])) == 60000
    held_out = Recipe("strict", epochs=1, batch=32, holds_out_validation=True)
    assert not set(fitted_indices(60000, held_out)) & set(validation)


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    weights = []
    for _ in range(2):
        done = run("train", "--dataset", "digits", "--epochs", 1, "--seed", 3, "--output", tmp_path, "--json")
        assert done.returncode == 0, done.stderr
        weights.append(json.loads(done.stdout)["weights_sha256"])
    assert weights[0] == weights[1]


def test_auto_says_aloud_that_it_took_digits(tmp_path: Path) -> None:
    """No folder, an empty cache, and a proxy that refuses every connection."""
    nothing = {"MNIST_DIR": "", "XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    done = run("train", "--epochs", 1, "--output", tmp_path / "out", env=nothing)
    assert done.returncode == 0, done.stderr
    assert ">>> MNIST IS NOT HERE" in done.stderr
    assert "THE 0.99 BASELINE DOES NOT APPLY" in done.stderr
    training = read_model(tmp_path / "out" / "model.keras").manifest.training
    assert training is not None
    assert training.dataset == "digits"
