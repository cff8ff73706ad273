"""The verdict on a model's answers to labelled images: the rules, and what chance alone explains."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.confidence import images_for_loss, images_for_share, loss_interval, wilson
from edgecnn.errors import EdgecnnError
from edgecnn.flips import Flips, Indices, find_flips, same_answers
from edgecnn.manifest import Agreement, Baseline
from edgecnn.reliability import Reliability
from edgecnn.scores import Scores

MAX_DROP = 0.005  # share of right answers that a conversion may lose, net, by default


@dataclass(frozen=True)
class Report:
    """How a model answered labelled images, and the verdict."""

    images: int
    wrong: Indices  # places of the images with another answer than their label
    flips: Flips | None  # None where the data holds no answers of the float model
    baseline: Baseline | None  # None where none applies
    max_drop: float
    failures: tuple[str, ...]  # the rules that were broken, in words
    rules: int  # how many rules applied
    notes: tuple[str, ...] = ()  # doubts about the verdict, in words
    by_label: dict[str, "Report"] = field(default_factory=dict)  # of a multi-label model: one per label
    scores: Scores | None = None  # of its classes, if somebody asked for them; no rule reads them
    reliability: Reliability | None = None  # of its probabilities, where an image shows one label; no rule reads it

    @property
    def correct(self) -> int:
        """Images with the right answer."""
        return self.images - len(self.wrong)

    @property
    def accuracy(self) -> float:
        """Share of images with the right answer: the top-1 label, or of a multi-label model all labels."""
        return self.correct / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy."""
        return wilson(self.accuracy, self.images)

    @property
    def accuracy_by_label(self) -> dict[str, float]:
        """Of a multi-label model: the share of images with the right answer to a label, by label."""
        return {name: report.accuracy for name, report in self.by_label.items()}

    @property
    def verdict(self) -> str:
        """`PASS`, `FAIL`, or `NONE` where no rule applied."""
        return "FAIL" if self.failures else "PASS" if self.rules else "NONE"

    def agreement(self, split: str, engine: str) -> Agreement:
        """What a manifest keeps of this report.

        Raises:
            ValueError: it has no flips, since the data held no answers of the float model.
        """
        flips = self.flips
        if flips is None:
            raise ValueError("a report without the float model's answers has no agreement")
        return Agreement(
            split=split,
            engine=engine,
            images=self.images,
            accuracy=self.accuracy,
            parent_accuracy=(self.correct + flips.net_loss) / self.images,
            lost=len(flips.lost),
            gained=len(flips.gained),
            agreement=1 - flips.count / self.images,
        )


def allowed_loss(max_drop: float, images: int) -> int:
    """Right answers that may be lost, net: max(1, floor(max_drop * images))."""
    return max(1, math.floor(max_drop * images + 1e-9))  # 0.29 * 100 is 28.999999999999996


def judge(
    labels: npt.ArrayLike,
    parent: npt.ArrayLike | None,
    child: npt.ArrayLike,
    baseline: Baseline | None,
    max_drop: float | None = None,
    names: Sequence[str] = (),
) -> Report:
    """Apply the rules of `edgecnn.check.check` to answers.

    Args:
        labels: the right answers, of shape (n,), or (n, labels) of a multi-label model.
        parent: the float model's answers, of the same shape, if they are known.
        child: the model's answers, of the same shape.
        baseline: of the data set, if one applies.
        max_drop: instead of the baseline's.
        names: of the labels of a multi-label model: every label is judged by itself too, with the same allowed loss.

    Raises:
        EdgecnnError: there are no answers, they differ in shape, or the drop is no share.
    """
    right = same_answers(labels, child)
    images, correct = len(right), int(right.sum())
    if images == 0:
        raise EdgecnnError("there are no answers to judge")
    if max_drop is None:
        max_drop = baseline.max_drop if baseline else MAX_DROP
    bounds.number(max_drop, "max_drop", 0, 1)  # nothing is more than nan: it would let everything pass
    flips = None if parent is None else find_flips(labels, parent, child)
    outcomes = []  # of the rules that apply: what failed, and doubts about it
    if flips is not None:
        outcomes.append(_judge_loss(flips, images, max_drop))
    if baseline is not None:
        outcomes.append(_judge_accuracy(correct, images, baseline, max_drop))
    failures = tuple(line for failed, _ in outcomes for line in failed)
    notes = (*_one_answer(labels, child), *(line for _, doubts in outcomes for line in doubts))
    report = Report(images, np.flatnonzero(~right), flips, baseline, max_drop, failures, len(outcomes), notes)
    if not names or np.ndim(child) == 1:
        return report
    columns = [
        (_column(labels, place), None if parent is None else _column(parent, place), _column(child, place))
        for place in range(len(names))
    ]
    by_label = {name: judge(*column, None, max_drop) for name, column in zip(names, columns, strict=True)}
    return _with_labels(report, by_label)


def _column(answers: npt.ArrayLike, place: int) -> npt.NDArray[Any]:
    return np.asarray(answers)[:, place]


def _with_labels(report: Report, by_label: dict[str, Report]) -> Report:
    """The report of a multi-label model, with those of its labels: it fails if one of them does."""
    failed = {name: label for name, label in by_label.items() if label.failures}
    failures = [f"{name}: {words}" for name, label in failed.items() for words in label.failures]
    notes = [f"{name}: {words}" for name, label in failed.items() for words in label.notes]
    return replace(report, failures=(*report.failures, *failures), notes=(*report.notes, *notes), by_label=by_label)


def _judge_loss(flips: Flips, images: int, max_drop: float) -> tuple[list[str], list[str]]:
    """The rule of the net loss: how it failed, if it did, and whether chance may be the cause."""
    allowed = allowed_loss(max_drop, images)
    if flips.net_loss <= allowed:
        return [], []
    failure = f"{flips.net_loss} right answers fewer than the float model, {allowed} allowed"
    return [failure], _loss_by_chance(flips, images, max_drop)


def _judge_accuracy(correct: int, images: int, baseline: Baseline, max_drop: float) -> tuple[list[str], list[str]]:
    """The rule of the baseline: how it failed, if it did, and whether chance may be the cause."""
    least = baseline.accuracy - max_drop
    if correct >= least * images - 1e-9:
        return [], []
    failure = f"accuracy {correct / images:.4f} is below {least:.4f} ({baseline.accuracy} - {max_drop})"
    return [failure], _accuracy_by_chance(correct, images, least, max_drop)


def _one_answer(labels: npt.ArrayLike, child: npt.ArrayLike) -> list[str]:
    """A note on a model that gives all images one answer, though their labels differ."""
    different_answers, different_labels = (len(np.unique(column, axis=0)) for column in (child, labels))
    return [f"all {len(np.asarray(child)):,} answers are the same"] if different_answers == 1 < different_labels else []


def _loss_by_chance(flips: Flips, images: int, max_drop: float) -> list[str]:
    """A note if a loss that failed lies within chance, and how many images would decide it."""
    low, high = loss_interval(len(flips.lost), len(flips.gained), images)
    if low > max_drop:
        return []
    enough = max_drop and images_for_loss(len(flips.lost), len(flips.gained), images, max_drop)
    return [f"within chance: {images:,} images put the loss between {low:.4f} and {high:.4f} (95 %){_more(enough)}"]


def _accuracy_by_chance(correct: int, images: int, least: float, max_drop: float) -> list[str]:
    low, high = wilson(correct / images, images)
    if high < least:
        return []
    enough = max_drop and images_for_share(correct, images, max_drop)
    return [f"within chance: {images:,} images put the accuracy between {low:.4f} and {high:.4f} (95 %){_more(enough)}"]


def _more(enough: float) -> str:
    return f"; about {enough:,} would decide" if enough else ""
