"""The way from a frame to its message: the answer, smoothed; what has changed; drift; pictures that are kept."""

import time

from edgecnn.classifier import Classifier
from edgecnn.command import tell
from edgecnn.drift import Drift
from edgecnn.frames import Frame
from edgecnn.message import Message, answer_message, error_message
from edgecnn.prediction import Prediction
from edgecnn.smoothing import Changes, Smoothing
from edgecnn.unsure import UnsureFolder

_LOOK = 10  # frames between two looks for drift


class Answering:
    """A classifier that answers the frames of one source.

    Args:
        classifier: gives the answers.
        source: the name of the source.
        smooth: frames whose mean is the answer.
        changes: says which messages are new; None for all.
        drift: compares frames with validation; findings are said on stderr.
        unsure: keeps pictures whose own answer, not smoothed, is `unknown`.
    """

    def __init__(
        self,
        classifier: Classifier,
        source: str,
        smooth: int = 1,
        changes: Changes | None = None,
        drift: Drift | None = None,
        unsure: UnsureFolder | None = None,
    ) -> None:
        self.classifier, self.source, self.drift = classifier, source, drift
        self._smoothing, self._changes, self._unsure = Smoothing(classifier, smooth), changes, unsure
        self._named: dict[str, str] = {}

    def message(self, frame: Frame) -> Message:
        """The message of a frame."""
        if frame.error:
            return error_message(self.classifier, frame.error, self.source, frame.name, frame.seconds)
        start = time.perf_counter()
        prediction = self._prediction(frame)
        answer = self._smoothing.add(prediction)
        seconds = frame.seconds + time.perf_counter() - start
        message = answer_message(self.classifier, answer, self.source, frame.name, seconds)
        if prediction is not None:
            self._note(frame, prediction, seconds)
        return message | ({"drift": list(self._named.values())} if self._named else {})

    def is_owed(self, message: Message) -> bool:
        """Whether the message is to be passed on: always, or if it is a change."""
        return self._changes is None or self._changes.is_new(message, time.monotonic())

    def _prediction(self, frame: Frame) -> Prediction | None:
        """The answer to a frame alone; None if it shows no character."""
        if frame.pixels is None:
            return None
        return self.classifier.predict(frame.pixels) if frame.raw else self.classifier.predict_fitted(frame.pixels)

    def _note(self, frame: Frame, prediction: Prediction, seconds: float) -> None:
        assert frame.pixels is not None
        if self.drift:
            self.drift.add(frame.pixels, prediction)
            if self.drift.seen % _LOOK == 0:
                self._tell_drift(self.drift)
        if self._unsure and not prediction.is_known:
            message = answer_message(self.classifier, prediction, self.source, frame.name, seconds)
            self._unsure.keep(frame.pixels, message)

    def _tell_drift(self, drift: Drift) -> None:
        """Say on stderr what has begun to differ from validation, and what no longer does."""
        named = {finding.statistic: f"{finding.kind} changed: {finding.words}" for finding in drift.findings()}
        for name in named.keys() - self._named.keys():
            tell(f"drift: {named[name]} ({drift.images} pictures)")
        for name in self._named.keys() - named.keys():
            tell(f"drift: {name} is as in validation again")
        self._named = named
