"""One message for every way out: its fields are those of docs/field.md."""

import json
import re

import numpy as np
import pytest
from conftest import ROOT

from edgecnn import Classifier
from edgecnn.message import answer_message, error_message
from edgecnn.prediction import Prediction
from train.datasets import digits

IMAGE = digits().test_images[0]


def fields() -> set[str]:
    """The fields that the guide lists."""
    return set(re.findall(r"^\| `([a-z0-9]+)` \|", (ROOT / "docs/field.md").read_text(), re.MULTILINE))


def test_a_message_has_the_fields_of_the_guide() -> None:
    classifier = Classifier()
    message = answer_message(classifier, classifier.predict(IMAGE), "rtsp://user:secret@camera/1", "17", 0.00125, 1.5)
    error = error_message(classifier, "no picture", "-", "18")
    assert set(message) | set(error) | {"labels", "drift"} == fields()
    assert (message["time"], message["source"], message["frame"], message["ms"]) == (1.5, "rtsp://camera/1", "17", 1.25)
    assert len(message["model"]["sha256"]) == 64
    assert (error["label"], error["error"], error["source"]) == (None, "no picture", "-")
    assert json.loads(json.dumps(message)) == message


def test_the_most_probable_labels_come_first_also_of_an_unknown_picture() -> None:
    classifier = Classifier()
    classifier.threshold = 1
    prediction = classifier.predict(np.full_like(IMAGE, 90))
    document = prediction.document()
    assert (document["label"], document["unknown"]) == ("unknown", True)
    shares = list(document["top"].values())
    assert len(shares) == 3
    assert sorted(shares, reverse=True) == shares
    assert shares[0] == document["probability"] == pytest.approx(prediction.probability, abs=1e-6)


def test_a_document_computes_probabilities_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    raw = Prediction.raw_probabilities.fget
    monkeypatch.setattr(Prediction, "raw_probabilities", property(lambda it: computed.append(1) or raw(it)))
    classifier = Classifier()
    classifier.threshold = 0.5
    classifier.predict(IMAGE).document()
    assert len(computed) == 1
