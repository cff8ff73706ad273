"""Accuracy of a model on labelled images, what it lost against its float parent, and the verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.answers import decided
from edgecnn.classifier import Classifier
from edgecnn.confidence import images_for_loss, images_for_share, loss_interval, wilson
from edgecnn.dataset import Dataset
from edgecnn.errors import EdgecnnError, check_share
from edgecnn.manifest import Agreement, Baseline

MAX_DROP = 0.005  # share of predictions that a conversion may lose, net, where nothing else is said
_SHOWN, _SHOWN_FILES = 20, 4  # indices of images, or names of files, that people get to see

Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Flips:
    """Places (0-based, in the data) of the images that two models answer differently."""

    lost: Indices  # the parent was right, the child is wrong
    gained: Indices  # the parent was wrong, the child is right
    changed: Indices  # both are wrong, in different ways

    @property
    def net_loss(self) -> int:
        """Right answers that the child has fewer than its parent."""
        return len(self.lost) - len(self.gained)

    @property
    def count(self) -> int:
        """Images that are answered differently."""
        return len(self.lost) + len(self.gained) + len(self.changed)


@dataclass(frozen=True)
class Report:
    """What `check` found."""

    images: int
    wrong: Indices  # places of the images with another answer than their label
    flips: Flips | None  # None where the data holds no answers of the float model
    baseline: Baseline | None  # None where none applies
    max_drop: float
    failures: tuple[str, ...]  # the rules that were broken, in words
    rules: int  # how many rules applied
    notes: tuple[str, ...] = ()  # what to know of the verdict, in words
    by_label: dict[str, "Report"] = field(default_factory=dict)  # of a multi-label model: each label by itself

    @property
    def correct(self) -> int:
        """Images with the right answer."""
        return self.images - len(self.wrong)

    @property
    def accuracy(self) -> float:
        """Share of images with the right answer: the top-1 label, or of a multi-label model all labels."""
        return self.correct / self.images

    @property
    def verdict(self) -> str:
        """`PASS`, `FAIL`, or `NONE` where no rule applied."""
        return "FAIL" if self.failures else "PASS" if self.rules else "NONE"


def allowed_loss(max_drop: float, images: int) -> int:
    """Right answers that may be lost, net: max(1, floor(max_drop * images))."""
    return max(1, math.floor(max_drop * images + 1e-9))  # 0.29 * 100 is 28.999999999999996


def find_flips(labels: npt.ArrayLike, parent: npt.ArrayLike, child: npt.ArrayLike) -> Flips:
    """Compare two models' answers with the labels and with each other; all of shape (n,)."""
    was, is_, same = _equal(labels, parent), _equal(labels, child), _equal(parent, child)
    return Flips(
        lost=np.flatnonzero(was & ~is_),
        gained=np.flatnonzero(~was & is_),
        changed=np.flatnonzero(~was & ~is_ & ~same),
    )


def _equal(one: npt.ArrayLike, other: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """For each image whether two answers to it are the same; where it has an answer a label, whether all are.

    Raises:
        EdgecnnError: they are not of one shape: numpy would hold each against all.
    """
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.ndim not in (1, 2):
        raise EdgecnnError(f"answers of shape {one.shape} and {other.shape} cannot be compared: give both (images,)")
    equal: npt.NDArray[np.bool_] = one == other
    return equal if equal.ndim == 1 else equal.all(axis=1)


def check(classifier: Classifier, data: Dataset, max_drop: float | None = None) -> Report:
    """Run a model over labelled images and judge it by the rules that apply.

    1. Its net loss against its float parent is at most `allowed_loss`, where the data holds the parent's answers.
    2. Its accuracy is at least the baseline less the drop, where the manifest names a baseline and the images are of
       the data set it speaks of, or come from a folder.

    Args:
        classifier: the model.
        data: images that fit it.
        max_drop: instead of the manifest's (0.005 where that names none).

    Raises:
        EdgecnnError: the data holds the answers of another float model.
    """
    manifest = classifier.manifest
    if data.source and data.source.weights_sha256 != manifest.weights_sha256:
        raise EdgecnnError(
            "the data holds the answers of another float model than this model was made from:"
            " use the .npz files of the same training"
        )
    if data.labels is None:
        raise EdgecnnError("the images have no labels: give a folder a label, or an .npz with an array labels")
    several, answers = manifest.multi_label, classifier.predict_batch(data.images)
    child = np.array([decided(given.probabilities, several) if several else given.index for given in answers])
    parent = None if data.probabilities is None else decided(data.probabilities, several)
    trained = manifest.training.dataset if manifest.training else None
    applies = data.source is None or data.source.dataset == trained
    baseline = manifest.baseline if applies else None
    report = judge_labels(manifest.labels, data.labels, parent, child, baseline, max_drop)
    return replace(report, notes=(*report.notes, *data.notes))


def judge_labels(
    names: Sequence[str],
    labels: npt.ArrayLike,
    parent: npt.ArrayLike | None,
    child: npt.ArrayLike,
    baseline: Baseline | None,
    max_drop: float | None = None,
) -> Report:
    """`judge`, and of answers of shape (n, labels) each label by itself too: none may lose more than all may.

    Raises:
        EdgecnnError: as `judge`.
    """
    report = judge(labels, parent, child, baseline, max_drop)
    if np.ndim(child) == 1:
        return report
    truth, was, given = (None if each is None else np.asarray(each).T for each in (labels, parent, child))
    assert truth is not None
    assert given is not None
    each = {
        name: judge(truth[place], None if was is None else was[place], given[place], None, report.max_drop)
        for place, name in enumerate(names)
    }
    failures = [f"{name}: {words}" for name, found in each.items() for words in found.failures]
    notes = [f"{name}: {words}" for name, found in each.items() if found.failures for words in found.notes]
    return replace(report, failures=(*report.failures, *failures), notes=(*report.notes, *notes), by_label=each)


def judge(
    labels: npt.ArrayLike,
    parent: npt.ArrayLike | None,
    child: npt.ArrayLike,
    baseline: Baseline | None,
    max_drop: float | None = None,
) -> Report:
    """The rules of `check`, on answers already given; all of shape (n,), or (n, labels) where an image has several.

    Raises:
        EdgecnnError: there are none, or they are not of one shape, or the drop is no share.
    """
    right = _equal(labels, child)
    images, correct = len(right), int(right.sum())
    if images == 0:
        raise EdgecnnError("there are no answers to judge")
    if max_drop is None:
        max_drop = baseline.max_drop if baseline else MAX_DROP
    check_share(max_drop, "max_drop")  # nothing is more than nan: it would let everything pass
    failures, notes, rules, flips = [], _one_answer(labels, child), 0, None
    if parent is not None:
        flips, allowed, rules = find_flips(labels, parent, child), allowed_loss(max_drop, images), rules + 1
        if flips.net_loss > allowed:
            failures.append(f"{flips.net_loss} right answers fewer than the float model, {allowed} allowed")
            notes += _loss_by_chance(flips, images, max_drop)
    if baseline is not None:
        least, rules = baseline.accuracy - max_drop, rules + 1
        if correct < least * images - 1e-9:
            failures.append(f"accuracy {correct / images:.4f} is below {least:.4f} ({baseline.accuracy} - {max_drop})")
            notes += _accuracy_by_chance(correct, images, least, max_drop)
    return Report(images, np.flatnonzero(~right), flips, baseline, max_drop, tuple(failures), rules, tuple(notes))


def _one_answer(labels: npt.ArrayLike, child: npt.ArrayLike) -> list[str]:
    """Whether a model tells nothing apart, though the images differ in what they show."""
    kinds, shown = (len(np.unique(each, axis=0)) for each in (child, labels))
    return [f"all {len(np.asarray(child)):,} answers are the same"] if kinds == 1 < shown else []


def _loss_by_chance(flips: Flips, images: int, max_drop: float) -> list[str]:
    """Whether so few images leave open if a model that failed loses too much, and how many would not."""
    low, high = loss_interval(len(flips.lost), len(flips.gained), images)
    if low > max_drop:
        return []
    enough = max_drop and images_for_loss(len(flips.lost), len(flips.gained), images, max_drop)
    return [f"within chance: {images:,} images put the loss between {low:.4f} and {high:.4f} (95 %){_more(enough)}"]


def _accuracy_by_chance(correct: int, images: int, least: float, max_drop: float) -> list[str]:
    low, high = wilson(correct, images)
    if high < least:
        return []
    enough = max_drop and images_for_share(correct, images, max_drop)
    return [f"within chance: {images:,} images put the accuracy between {low:.4f} and {high:.4f} (95 %){_more(enough)}"]


def _more(enough: float) -> str:
    return f"; about {enough:,} would tell" if enough else ""


def accuracy_by_label(report: Report) -> dict[str, float]:
    """Of a multi-label model: the share of images in which each label is rightly seen, or rightly not."""
    return {name: found.accuracy for name, found in report.by_label.items()}


def agreement(report: Report, split: str, engine: str) -> Agreement:
    """What a manifest keeps of a report with flips."""
    flips = report.flips
    if flips is None:
        raise ValueError("a report without the float model's answers has no agreement")
    return Agreement(
        split=split,
        engine=engine,
        images=report.images,
        accuracy=report.accuracy,
        parent_accuracy=(report.correct + flips.net_loss) / report.images,
        lost=len(flips.lost),
        gained=len(flips.gained),
        agreement=1 - flips.count / report.images,
    )


def flipped(data: Dataset, places: Indices) -> str:
    """How many images these are, and which, for people; `--json` has all."""
    if not len(places):
        return "0"
    most, between = (_SHOWN_FILES, ", ") if data.indices.dtype.kind == "U" else (_SHOWN, " ")  # names hold blanks
    shown = between.join(str(index) for index in data.indices[places[:most]].tolist())
    more = f" … {len(places) - most} more (--json)" if len(places) > most else ""
    return f"{len(places)}   images {shown}{more}"


def as_document(report: Report, data: Dataset) -> dict[str, Any]:
    """A report for `--json`: with the indices of the flipped images in the original split, or their paths."""
    low, high = wilson(report.correct, report.images)
    flips = report.flips
    return {
        "verdict": report.verdict,
        "failures": list(report.failures),
        "notes": list(report.notes),
        "images": report.images,
        "accuracy": report.accuracy,
        **({"accuracy_by_label": accuracy_by_label(report)} if report.by_label else {}),
        "wilson_95": [low, high],
        "mistakes": data.indices[report.wrong].tolist(),
        "left_out": data.unread,
        "baseline": report.baseline.accuracy if report.baseline else None,
        "max_drop": report.max_drop,
        "flips": flips
        and {
            "net_loss": flips.net_loss,
            "net_loss_95": loss_interval(len(flips.lost), len(flips.gained), report.images),
            "lost": data.indices[flips.lost].tolist(),
            "gained": data.indices[flips.gained].tolist(),
            "changed": data.indices[flips.changed].tolist(),
        },
    }
