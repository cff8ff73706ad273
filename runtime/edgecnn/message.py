"""The message of an answer: one JSON document for stdout, HTTP and MQTT (docs/field.md lists its fields)."""

import time
from typing import Any

from edgecnn.classifier import Classifier
from edgecnn.prediction import Prediction
from edgecnn.source_names import without_password

Message = dict[str, Any]


def answer_message(
    classifier: Classifier, prediction: Prediction, source: str, frame: str, seconds: float, now: float | None = None
) -> Message:
    """The message of an answer to one picture.

    Args:
        classifier: gave the prediction.
        prediction: of the picture; or of several, smoothed.
        source: of the picture: a camera, a folder, a client.
        frame: the picture's name or number there.
        seconds: to decode the picture and to classify it.
        now: the time of the answer in seconds since 1970 (UTC); by default now.
    """
    return _head(source, frame, now) | prediction.document() | _tail(classifier, seconds)


def error_message(
    classifier: Classifier, reason: str, source: str, frame: str, seconds: float = 0.0, now: float | None = None
) -> Message:
    """The message of a picture that got no answer, for this reason."""
    return _head(source, frame, now) | {"label": None, "error": reason} | _tail(classifier, seconds)


def _head(source: str, frame: str, now: float | None) -> Message:
    return {"time": round(time.time() if now is None else now, 3), "source": without_password(source), "frame": frame}


def _tail(classifier: Classifier, seconds: float) -> Message:
    return {
        "ms": round(1000 * seconds, 3),
        "model": {"name": classifier.manifest.name, "sha256": classifier.sha256},
    }
