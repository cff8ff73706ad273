"""Scores of classes, and what is confused."""

import numpy as np

from edgecnn.scores import scores_of
from workstation.charts import confusion_counts

LABELS = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
ANSWERS = np.array([0, 0, 0, 1, 1, 1, 0, 1, 0])
NAMES = ("cat", "dog", "horse", "zebra")


def test_scores_are_those_of_the_book() -> None:
    scores = scores_of(LABELS, ANSWERS, NAMES)
    assert [score.label for score in scores.classes] == ["horse", "cat", "dog", "zebra"]
    horse, cat, dog, zebra = scores.classes
    assert (horse.images, horse.precision, horse.recall, horse.f1) == (3, None, 0.0, 0.0)
    assert (cat.images, cat.precision, cat.recall, cat.f1) == (4, 3 / 5, 3 / 4, 2 / 3)
    assert (dog.precision, dog.recall) == (2 / 4, 1.0)
    assert zebra[1:] == (0, None, None, None)
    assert scores.confused == "horse as cat (2), cat as dog (1), horse as dog (1)"
    assert scores.as_document()["classes"]["cat"] == {"images": 4, "precision": 0.6, "recall": 0.75, "f1": 2 / 3}
    assert scores.as_document()["confused"][0] == {"label": "horse", "answer": "cat", "images": 2}


def test_labels_of_a_multi_label_model_are_scored_each_by_itself() -> None:
    labels, answers = (np.eye(4, dtype=np.int64)[places] for places in (LABELS, ANSWERS))
    assert scores_of(labels, answers, NAMES).classes == scores_of(LABELS, ANSWERS, NAMES).classes
    assert scores_of(labels, answers, NAMES).confused == "none"


def test_of_many_classes_people_see_the_worst_ten() -> None:
    labels = np.repeat(np.arange(100), 10)
    answers = np.where(np.arange(1000) % 10 < labels // 10, (labels + 1) % 100, labels)
    scores = scores_of(labels, answers, [f"class {number}" for number in range(100)])
    assert scores.head[0] == "the worst 10 of 100 classes"
    assert len(scores.as_table().splitlines()) == 12
    assert {row[0] for row in scores.rows} == {f"class {number}" for number in range(90, 100)}
    assert scores.confused.endswith("80 pairs more")
    assert len(scores.as_document()["classes"]) == 100


def test_confused_classes_lie_together() -> None:
    """Eight classes, of which 0 and 4, 1 and 5, 2 and 6, 3 and 7 are taken for one another."""
    labels = np.repeat(np.arange(8), 20)
    answers = np.where(np.arange(160) % 20 < 6, (labels + 4) % 8, labels)
    names = [f"class {number}" for number in range(8)]
    counts, ordered = confusion_counts(labels, answers, names)
    assert sorted(ordered) == names
    assert (counts.diagonal() == 14).all()
    assert counts.sum() == 160
    for first, second in zip(ordered[::2], ordered[1::2], strict=True):
        assert abs(names.index(first) - names.index(second)) == 4
    assert confusion_counts(labels, labels, names)[1] == names
