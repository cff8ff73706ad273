"""What becomes of the answers to the server's camera: changes are published, drift is in the metrics and messages."""

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
from edgecnn.modelfile import pack_model, read_model
from edgecnn.reference import reference_of
from train.datasets import digits


def with_reference(folder: Path) -> Path:
    """The model of the wheel with a reference, of which only the pixels matter here."""
    model, images = read_model(SHIPPED), digits().train_images
    answers = np.eye(10, dtype=np.float32)[np.arange(len(images)) % 10]
    payload = model.data[: model.data.index(b"PK\x03\x04")]
    path = folder / "model.tflite"
    whole = replace(model.manifest.input, frame=None)  # the camera sees no character
    manifest = replace(model.manifest, input=whole, reference=reference_of(images, answers))
    path.write_bytes(pack_model(payload, manifest))
    return path


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


def test_options_for_frames_want_a_camera() -> None:
    refused(run("edgecnn", "serve", "--port", 0, "--mqtt", "mqtt://x/y"), "are for a camera's frames: name --camera")
