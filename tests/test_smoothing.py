"""Smoothing and changes: the mean of frames, and what is told of them."""

import json

import numpy as np
import pytest
from test_watch import lines, watched

from edgecnn import Classifier
from edgecnn.smoothing import Changes, Smoothing
from train.datasets import digits

IMAGES = digits().test_images[:12]


def test_the_answer_is_the_mean_of_the_last_frames() -> None:
    classifier = Classifier()
    smoothing = Smoothing(classifier, 3)
    answers = [classifier.predict(image) for image in IMAGES]
    for number, answer in enumerate(answers):
        mean = np.mean([it.probabilities for it in answers[max(0, number - 2) : number + 1]], axis=0)
        assert smoothing.add(answer).probabilities == pytest.approx(mean, abs=1e-6)


def test_frames_without_a_character_outvote_and_count_for_nothing() -> None:
    classifier = Classifier()
    seven = classifier.predict(IMAGES[0])
    smoothing = Smoothing(classifier, 3)
    assert smoothing.add(None).label == "unknown"
    assert smoothing.add(seven).label == seven.label  # one of two
    assert smoothing.add(None).label == "unknown"  # one of three
    smoothing.add(seven)
    assert smoothing.add(seven).probability == pytest.approx(seven.probability)


def test_only_changes_are_printed() -> None:
    frames = np.repeat(IMAGES[:3], 4, axis=0)
    answers = lines(watched("-", "--on-change", input=frames.tobytes()).stdout)
    assert [answer["frame"] for answer in answers] == ["0", "4", "8"]
    assert len({json.dumps(answer["label"]) for answer in answers}) == 3


def test_a_change_must_last() -> None:
    changes = Changes(hold=2)
    told = [
        (second, label)
        for second, label in enumerate("aaaabaaabbbbccaaaa")
        if changes.is_new({"label": label}, float(second))
    ]
    assert told == [(2, "a"), (10, "b"), (16, "a")]


def test_errors_are_a_state_too_and_of_several_labels_the_set_counts() -> None:
    changes = Changes()
    states = [{"label": "a"}, {"label": None}, {"label": None}, {"label": "a"}]
    assert [changes.is_new(state, 0.0) for state in states] == [True, True, False, True]
    several = [{"label": "a", "labels": labels} for labels in ({"a": 1.0}, {"b": 0.6, "a": 0.9}, {"a": 0.8, "b": 0.7})]
    assert [changes.is_new(state, 0.0) for state in several] == [True, True, False]
