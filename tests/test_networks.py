"""Networks by name, within a budget, and from weights."""

import json
import subprocess
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from conftest import ROOT, refused, run

from train.budget import Budget, parse_budget
from train.network_rows import NETWORKS


def test_networks_are_what_their_rows_say() -> None:
    """Sizes; MobileNets compute what those of keras.applications do; small images are halved less often."""
    done = run(ROOT / "tests/network_sizes.py")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["sizes"] == {row.name: [row.parameters, row.macs] for row in NETWORKS.values()}
    assert max(document["differences"].values()) < 1e-5
    assert list(document["features"].values()) == [[4, 4, 3, 3, 5]] * 2
    assert document["automatic"] == {
        "small images": "resnet8",
        "small images, small budget": "resnet8 0.5",
        "small images, few parameters": "ds_cnn 0.5",
        "large images": "mobilenet_v1 0.25",
        "many large images": "mobilenet_v2 0.35",
        "many large images, small budget": "mobilenet_v1 0.25",
    }


def test_pretrained_layers_are_frozen_first_then_tuned_and_a_training_resumes_between() -> None:
    done = run(ROOT / "tests/fine_tuning.py")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    body = document["pretrained"]["keras"]
    assert len(body) == 18  # nine convolutions and their normalizations: all but the head of five classes
    assert document["pretrained"]["h5"] == body
    assert document["kept"] == {"frozen": 18, "tuned": 0}
    assert document["resumes"]
    assert "weights of 18 of 19 layers are from" in done.stderr
    assert "new: classes" in done.stderr


@pytest.mark.parametrize("text", ["", "5M", "macs=", "macs=5M,macs=4M", "macs=-5", "watts=5", "macs=5m", "macs=nan"])
def test_what_is_no_budget_gets_a_line(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is no budget: write macs=5M"):
        parse_budget(text)


def test_a_budget_is_read() -> None:
    assert parse_budget("params=1.5k,macs=5M") == Budget(macs=5e6, params=1500)
    assert parse_budget("macs=900") == Budget(macs=900)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--network", "auto", "--budget", "params=100"), "a larger budget"),
        (("--network", "ds_cnn", "--budget", "macs=1M"), "ds_cnn takes macs=3,864,192, more than --budget"),
        (("--width", 0.5), "the network reference has but one width"),
        (("--model", "networks.py:net", "--width", 0.5), "--width is for a network with a name"),
        (("--network", "auto", "--width", 0.5), "auto chooses the width too"),
        (("--network", "ds_cnn", "--weights", "nowhere.keras"), "nowhere.keras: no such file"),
        (("--network", "ds_cnn", "--weights", "README.md"), "no weights of Keras"),
        (("--network", "ds_cnn", "--weights", "imagenet"), "--network mobilenet_v1 or mobilenet_v2"),
    ],
)
def test_a_network_that_cannot_be_gets_a_line(words: tuple[object, ...], problem: str, tmp_path: Path) -> None:
    refused(run("train", "--dataset", "digits", *words, "--output", tmp_path / "out"), problem)


@pytest.mark.slow
def test_weights_of_another_body_get_a_line(tmp_path: Path) -> None:
    words = ("train", "--dataset", "digits", "--network", "ds_cnn", "--width", 0.125)
    first = run(*words, "--epochs", 1, "--output", tmp_path)
    assert first.returncode == 0, first.stderr
    other = ("--network", "resnet8", "--weights", tmp_path / "model.keras", "--output", tmp_path / "out")
    refused(run("train", "--dataset", "digits", *other), "no layer has the name and shape of one of resnet8: ")


@pytest.mark.slow
def test_without_a_network_imagenet_gets_a_line(tmp_path: Path) -> None:
    """In a process of its own, which reads where Keras keeps its downloads."""
    nothing = {"KERAS_HOME": str(tmp_path), "HTTPS_PROXY": "http://127.0.0.1:9"}
    words = ("--network", "mobilenet_v1", "--weights", "imagenet", "--output", tmp_path / "out")
    done = run("train", "--dataset", "digits", *words, env=nothing, stdin=subprocess.DEVNULL)
    refused(done, "--weights imagenet: ", "pass --weights FILE")
