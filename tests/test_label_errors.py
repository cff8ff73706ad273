"""Labels that are wrong are noticed by networks that never saw them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run
from PIL import Image
from test_train_data import write_idx

from train.datasets import digits
from train.review import LabelError, Review

NAMES = "0,1,2,3,4,5,6,7,8,9"


@pytest.fixture
def flipped(tmp_path: Path) -> tuple[Path, set[str]]:
    """Digits as IDX files, of which 3 % have another label; and which these are."""
    data, random, names = digits(), np.random.default_rng(0), set()
    splits = {"train": (data.train_images, data.train_labels), "t10k": (data.test_images, data.test_labels)}
    for split, (images, labels) in splits.items():
        places = random.permutation(len(labels))[: round(0.03 * len(labels))]
        wrong = labels.copy()
        wrong[places] = (wrong[places] + random.integers(1, 10, len(places))) % 10
        names |= {f"{'train' if split == 'train' else 'test'} {place}" for place in places.tolist()}
        write_idx(tmp_path / "digits" / f"{split}-images-idx3-ubyte", images[..., 0])
        write_idx(tmp_path / "digits" / f"{split}-labels-idx1-ubyte", wrong.astype(np.uint8))
    return tmp_path / "digits", names


@pytest.mark.slow
def test_most_flipped_labels_are_listed_and_few_others(flipped: tuple[Path, set[str]], tmp_path: Path) -> None:
    folder, wrong = flipped
    words = ("train", "--data", folder, "--labels", NAMES, "--epochs", 6, "--output", tmp_path / "out")
    done = run(*words, "--label-errors", 3, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    listed = [error["image"] for error in document["label_errors"]]
    assert len(wrong & set(listed)) > 0.7 * len(wrong)
    assert len(set(listed) - wrong) < 0.3 * len(listed)
    assert (document["images"], document["folds"]) == (1797, 3)
    with (tmp_path / "out" / "label_errors.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == listed
    assert all(row["label"] != row["probable"] for row in rows)
    with Image.open(tmp_path / "out" / "label_errors.png") as picture:
        assert picture.size[0] > 600
    assert not (tmp_path / "out" / "model.keras").exists()


def test_networks_that_learned_little_are_not_to_be_believed() -> None:
    error = LabelError("cat/1.png", "cat", "dog", 0.9, 0.1)
    for accuracy, believed in ((0.95, True), (0.5, False)):
        shown = Review(120, 4, accuracy, (error,), ("a.csv", "a.png")).as_table()
        assert ("too few to believe" in shown) != believed
        assert "1 of 120 labels are probably wrong: look at a.csv and a.png" in shown


@pytest.mark.slow
def test_a_class_of_few_images_gets_a_line(tmp_path: Path) -> None:
    for number in range(110):
        path = tmp_path / "pets" / ("cat" if number < 105 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (32, 32), np.uint8)).save(path)
    words = ("train", "--dataset", tmp_path / "pets", "--output", tmp_path / "out", "--label-errors", 6)
    refused(run(*words, env={"XDG_CACHE_HOME": str(tmp_path)}), "dog has 5 images", "take fewer folds")
