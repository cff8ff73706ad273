"""Answers over several frames: their mean, and changes that last."""

from collections import deque
from typing import Any

from edgecnn.classifier import Classifier
from edgecnn.message import Message
from edgecnn.prediction import Prediction


class Smoothing:
    """The mean answer to the newest frames of a stream.

    Args:
        classifier: gives the answers.
        count: frames; 1 leaves every answer as it is.
    """

    def __init__(self, classifier: Classifier, count: int) -> None:
        self._unseen = classifier.unseen
        self._newest: deque[Prediction | None] = deque(maxlen=count)

    def add(self, prediction: Prediction | None) -> Prediction:
        """The mean with a new answer; None stands for a frame without a character.

        Frames without a character count for nothing; if they are more than half, the mean is one too.
        """
        self._newest.append(prediction)
        answers = [answer for answer in self._newest if answer is not None]
        if 2 * len(answers) < len(self._newest) or not answers:
            return self._unseen
        return answers[0] if len(answers) == 1 else Prediction.mean(answers)


class Changes:
    """The messages of a stream that tell something new.

    Args:
        hold: seconds that a new answer must last before it counts.
    """

    def __init__(self, hold: float = 0.0) -> None:
        self._hold = hold
        self._last: Any = self  # equal to no answer
        self._candidate: Any = self
        self._since = 0.0

    def is_new(self, message: Message, now: float) -> bool:
        """Whether the answer of this message counts as a change; `now` are seconds of a clock that never goes back."""
        answer = sorted(message["labels"]) if "labels" in message else message["label"]
        if answer == self._last:
            self._candidate = self
            return False
        if answer != self._candidate:
            self._candidate, self._since = answer, now
        if now - self._since < self._hold:
            return False
        self._last = answer
        return True
