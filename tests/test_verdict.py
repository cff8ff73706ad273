"""The rules of the verdict, and the flips that it counts."""

from typing import Any

import numpy as np
import pytest

from edgecnn import EdgecnnError
from edgecnn.flips import find_flips, lost_and_gained
from edgecnn.manifest import Baseline
from edgecnn.verdict import allowed_loss, judge


@pytest.mark.parametrize(
    ("max_drop", "images", "allowed"),
    [(0.005, 5000, 25), (0.005, 199, 1), (0.005, 399, 1), (0.005, 400, 2), (0.29, 100, 29), (0.0, 1000, 1)],
)
def test_the_allowed_loss_is_a_floor_of_at_least_one(max_drop: float, images: int, allowed: int) -> None:
    assert allowed_loss(max_drop, images) == allowed


def test_flips_are_told_apart() -> None:
    flips = find_flips(labels=[1, 1, 1, 1, 1, 1], parent=[1, 1, 2, 2, 2, 1], child=[1, 2, 1, 2, 3, 2])
    assert [places.tolist() for places in (flips.lost, flips.gained, flips.changed)] == [[1, 5], [2], [4]]
    assert (flips.net_loss, flips.count) == (1, 4)
    assert (lost_and_gained(2, 1), lost_and_gained(0, 3), lost_and_gained(0, 0)) == ("-2 +1", "-0 +3", "none")


def test_each_rule_can_fail() -> None:
    labels = np.zeros(1000, int)
    parent, child = labels.copy(), labels.copy()
    child[:6] = 1
    assert judge(labels, parent, child, None).verdict == "FAIL"  # 6 lost, 5 allowed
    assert judge(labels, parent, child, None, max_drop=0.006).verdict == "PASS"
    parent[:3] = 1
    assert judge(labels, parent, child, None).verdict == "PASS"  # 3 net
    baseline = Baseline(0.999, 0.005)
    assert judge(labels, None, child, baseline).verdict == "PASS"  # 0.994 is just enough
    child[6] = 1
    assert judge(labels, None, child, baseline).failures == ("accuracy 0.9930 is below 0.9940 (0.999 - 0.005)",)
    assert judge(labels, None, child, None).verdict == "NONE"


def test_a_loss_within_chance_fails_and_says_so() -> None:
    labels = np.zeros(300, int)
    child = labels.copy()
    child[:2] = 1
    report = judge(labels, labels, child, None)
    assert report.verdict == "FAIL"
    (note,) = report.notes
    assert "within chance: 300 images put the loss between -0.0063 and 0.0196" in note
    assert "about 2,100 would decide" in note
    assert "would decide" not in judge(labels, labels, child, None, max_drop=0.0).notes[0]
    child[:40] = 1
    assert judge(labels, labels, child, None).notes == ()  # beyond doubt
    child[:] = 0
    assert judge(labels, labels, child, None).notes == ()  # passed
    child[:3] = 1
    (note,) = judge(labels, None, child, Baseline(0.999, 0.005)).notes
    assert "put the accuracy between 0.9710 and 0.9966" in note


def test_answers_of_another_shape_are_refused() -> None:
    """Labels (n, 1) beside answers (n,) would all be compared with one another, and nearly every model be right."""
    labels, answers = np.arange(10), np.zeros(10, int)
    for one, other, third in (
        (labels[:, np.newaxis], answers, answers),
        (labels, answers[:, np.newaxis], answers),
        (labels, answers, answers[:9]),
        (labels, answers[:1], answers),
        (labels[0], answers[0], answers[0]),
        (np.eye(10), answers, answers),
        (labels[:0], answers[:0], answers[:0]),
    ):
        with pytest.raises(EdgecnnError):
            judge(one, other, third, None)


def test_an_image_of_several_labels_is_right_where_all_are() -> None:
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1]])
    parent = np.array([[1, 0], [1, 1], [0, 1], [1, 0]])
    child = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])
    report = judge(labels, parent, child, None)
    assert report.flips is not None
    assert report.correct == 2
    assert [places.tolist() for places in (report.flips.lost, report.flips.gained, report.flips.changed)] == [
        [1],
        [2],
        [3],
    ]


@pytest.mark.parametrize("drop", [float("nan"), float("inf"), -0.1, 1.1, "0.1"])
def test_a_drop_that_is_no_share_lets_nothing_pass(drop: Any) -> None:
    wrong = np.ones(10, int)
    with pytest.raises(EdgecnnError, match="max_drop is .*, not a number from 0 to 1"):
        judge(np.zeros(10, int), np.zeros(10, int), wrong, None, max_drop=drop)
