"""How well a model knows each class, and which classes it takes for others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from edgecnn.tables import table

_SHOWN = 10  # classes, and pairs of them, that people get to see; --json has all


class ClassScore(NamedTuple):
    """How well a model knows a class; None where there is nothing to divide by.

    Source: C. J. van Rijsbergen (1979), "Information Retrieval", chapter 7.
    """

    label: str
    images: int
    precision: float | None  # share of the answers with this label that are right
    recall: float | None  # share of the images of this class that are answered right
    f1: float | None  # the harmonic mean of both


class Confusion(NamedTuple):
    """A class that is taken for another."""

    label: str
    answer: str
    images: int


@dataclass(frozen=True)
class Scores:
    """The classes, the worst first, and what is confused, most images first (nothing of a multi-label model)."""

    classes: tuple[ClassScore, ...]
    confusions: tuple[Confusion, ...]

    @property
    def confused(self) -> str:
        """The pairs that are confused most, in words."""
        shown = ", ".join(f"{pair.label} as {pair.answer} ({pair.images:,})" for pair in self.confusions[:_SHOWN])
        rest = len(self.confusions) - _SHOWN
        return (shown + (f", … {rest:,} pairs more" if rest > 0 else "")) or "none"

    @property
    def head(self) -> tuple[str, ...]:
        """The head of `rows`."""
        count = len(self.classes)
        first = "class" if count <= _SHOWN else f"the worst {_SHOWN} of {count:,} classes"
        return first, "images", "precision", "recall", "F1"

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The worst classes, as rows of a table."""
        return [
            (score.label, f"{score.images:,}", *("–" if share is None else f"{share:.3f}" for share in score[2:]))
            for score in self.classes[:_SHOWN]
        ]

    def as_table(self) -> str:
        """The worst classes as a table for people."""
        return table(self.head, self.rows)

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        classes = {score.label: dict(zip(score._fields[1:], score[1:], strict=True)) for score in self.classes}
        return {"classes": classes, "confused": [pair._asdict() for pair in self.confusions]}


def scores_of(labels: npt.NDArray[Any], answers: npt.NDArray[Any], names: Sequence[str]) -> Scores:
    """The scores of a model.

    Args:
        labels: places of the right classes, (n,); of a multi-label model 0 or 1, (n, classes).
        answers: the model's, of the same shape.
        names: of the classes.
    """
    counts = (column.tolist() for column in _counts(labels, answers, len(names)))
    classes = [
        ClassScore(name, images, _share(hits, answered), _share(hits, images), _share(2 * hits, answered + images))
        for name, hits, images, answered in zip(names, *counts, strict=True)
    ]
    classes.sort(key=lambda score: 2.0 if score.f1 is None else score.f1)
    return Scores(tuple(classes), () if labels.ndim == 2 else _confusions(labels, answers, names))


def _counts(labels: npt.NDArray[Any], answers: npt.NDArray[Any], classes: int) -> tuple[npt.NDArray[np.intp], ...]:
    """Right answers, images and answers, by class."""
    if labels.ndim == 2:
        labelled, answered = labels.astype(bool), answers.astype(bool)
        return tuple(column.sum(axis=0) for column in (labelled & answered, labelled, answered))
    columns = (labels[labels == answers], labels, answers)
    # Of 32 bits on some boards.
    return tuple(np.bincount(column.astype(np.intp), minlength=classes) for column in columns)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _confusions(labels: npt.NDArray[Any], answers: npt.NDArray[Any], names: Sequence[str]) -> tuple[Confusion, ...]:
    wrong = labels != answers
    pairs, images = np.unique(np.stack([labels[wrong], answers[wrong]], axis=1), axis=0, return_counts=True)
    order = np.argsort(-images, kind="stable")
    return tuple(
        Confusion(names[label], names[answer], count)
        for (label, answer), count in zip(pairs[order].tolist(), images[order].tolist(), strict=True)
    )
