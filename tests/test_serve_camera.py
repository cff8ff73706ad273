"""What becomes of the answers to the server's camera: changes are published, drift is in the metrics and messages."""

import json
import os
from dataclasses import replace
from pathlib import Path

import brokers
import fake_rpicam
import numpy as np
import pytest
from brokers import Broker
from conftest import refused, run
from serving import eventually, serving

from edgecnn import SHIPPED
from edgecnn.files import write_file
from edgecnn.manifest import Rejection
from edgecnn.modelfile import pack_model, read_model
from edgecnn.reference import reference_of
from train.datasets import digits


def written(path: Path, **changes: object) -> Path:
    """The model of the wheel with another manifest, for whole pictures: the camera shows no character."""
    model = read_model(SHIPPED)
    payload = model.data[: model.data.index(b"PK\x03\x04")]
    whole = replace(model.manifest.input, frame=None)
    write_file(path, pack_model(payload, replace(model.manifest, input=whole, **changes)))
    return path


def with_reference(folder: Path) -> Path:
    """A model with a reference, of which only the pixels matter here."""
    images = digits().train_images
    answers = np.eye(10, dtype=np.float32)[np.arange(len(images)) % 10]
    return written(folder / "model.tflite", reference=reference_of(images, answers))


@pytest.mark.skipif(not brokers.available(), reason=brokers.WANTED)
def test_changes_are_published_and_drift_is_named(tmp_path: Path) -> None:
    fake_rpicam.install(tmp_path)
    broker = Broker(tmp_path)
    broker.start()
    words = ("--camera", "csi", "--on-change", "--drift", 20, "--mqtt", f"mqtt://127.0.0.1:{broker.port}/eye")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    try:
        with (
            broker.listener("eye/answer") as listener,
            serving(tmp_path, with_reference(tmp_path), *words, env=env) as it,
        ):
            _, _, message = listener.next()
            assert message["source"] == "csi"
            eventually(lambda: 'edgecnn_drift{kind="pixels"} 1.0' in it.get("metrics").text)
            metrics = it.get("metrics").text
            assert 'edgecnn_drift_index{statistic="brightness"}' in metrics
            assert f'edgecnn_answers_total{{label="{message["label"]}"}}' in metrics
            eventually(lambda: "drift: pixels changed: contrast" in it.log.read_text())
    finally:
        broker.stop()


def test_a_model_that_an_option_does_not_fit_is_named_until_another_comes(tmp_path: Path) -> None:
    fake_rpicam.install(tmp_path)
    unsure, path = Rejection(0.95, 0.9), tmp_path / "model.tflite"
    words = ("--camera", "csi", "--keep-unsure", tmp_path / "unsure")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with serving(tmp_path, written(path, rejection=unsure), *words, env=env) as it:

        def error() -> str | None:
            """What the message of the newest frame says is wrong."""
            response = it.get("camera")
            assert response.status_code == 200
            return json.loads(response.headers["edgecnn-answer"]).get("error")

        eventually(lambda: error() is None)
        written(path)
        eventually(
            lambda: "--keep-unsure keeps pictures below the threshold, and this model has none" in (error() or "")
        )
        written(path, rejection=unsure)
        eventually(lambda: error() is None)


def test_options_for_frames_want_a_camera() -> None:
    refused(run("edgecnn", "serve", "--port", 0, "--mqtt", "mqtt://x/y"), "are for a camera's frames: name --camera")
