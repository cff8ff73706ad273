"""Accuracy of a model on labelled images, what it lost against its float parent, and the verdict."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.classifier import Classifier
from edgecnn.dataset import Dataset
from edgecnn.errors import EdgecnnError, check_share
from edgecnn.manifest import Agreement, Baseline

MAX_DROP = 0.005  # share of predictions that a conversion may lose, net, where nothing else is said
_SHOWN = 20  # indices of flipped images that people get to see
_Z95 = 1.959963984540054  # the normal quantile of 0.975

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
    correct: int
    flips: Flips | None  # None where the data holds no answers of the float model
    baseline: Baseline | None  # None where none applies
    max_drop: float
    failures: tuple[str, ...]  # the rules that were broken, in words
    rules: int  # how many rules applied

    @property
    def accuracy(self) -> float:
        """Share of images with the right answer (top-1)."""
        return self.correct / self.images

    @property
    def verdict(self) -> str:
        """`PASS`, `FAIL`, or `NONE` where no rule applied."""
        return "FAIL" if self.failures else "PASS" if self.rules else "NONE"


def wilson(correct: int, images: int, z: float = _Z95) -> tuple[float, float]:
    """The Wilson score interval of a share, 95 % by default.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    share, weight = correct / images, z * z / images
    middle = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / images + weight / (4 * images))
    return max(0.0, middle - half), min(1.0, middle + half)


def allowed_loss(max_drop: float, images: int) -> int:
    """Right answers that may be lost, net: max(1, floor(max_drop * images))."""
    return max(1, math.floor(max_drop * images + 1e-9))  # 0.29 * 100 is 28.999999999999996


def find_flips(labels: npt.ArrayLike, parent: npt.ArrayLike, child: npt.ArrayLike) -> Flips:
    """Compare two models' answers with the labels and with each other; all of shape (n,)."""
    labels, parent, child = np.asarray(labels), np.asarray(parent), np.asarray(child)
    was, is_ = parent == labels, child == labels
    return Flips(
        lost=np.flatnonzero(was & ~is_),
        gained=np.flatnonzero(~was & is_),
        changed=np.flatnonzero(~was & ~is_ & (parent != child)),
    )


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
    child = [prediction.index for prediction in classifier.predict_batch(data.images)]
    parent = None if data.probabilities is None else data.probabilities.argmax(axis=1)
    trained = manifest.training.dataset if manifest.training else None
    applies = data.source is None or data.source.dataset == trained
    return judge(data.labels, parent, child, manifest.baseline if applies else None, max_drop)


def judge(
    labels: npt.ArrayLike,
    parent: npt.ArrayLike | None,
    child: npt.ArrayLike,
    baseline: Baseline | None,
    max_drop: float | None = None,
) -> Report:
    """The rules of `check`, on answers already given; all of shape (n,).

    Raises:
        EdgecnnError: the drop is no share.
    """
    labels = np.asarray(labels)
    images, correct = len(labels), int((labels == np.asarray(child)).sum())
    if max_drop is None:
        max_drop = baseline.max_drop if baseline else MAX_DROP
    check_share(max_drop, "max_drop")  # nothing is more than nan: it would let everything pass
    failures, rules, flips = [], 0, None
    if parent is not None:
        flips, allowed, rules = find_flips(labels, parent, child), allowed_loss(max_drop, images), rules + 1
        if flips.net_loss > allowed:
            failures.append(f"{flips.net_loss} right answers fewer than the float model, {allowed} allowed")
    if baseline is not None:
        least, rules = baseline.accuracy - max_drop, rules + 1
        if correct < least * images - 1e-9:
            failures.append(f"accuracy {correct / images:.4f} is below {least:.4f} ({baseline.accuracy} - {max_drop})")
    return Report(images, correct, flips, baseline, max_drop, tuple(failures), rules)


def mcnemar(lost: int, gained: int) -> float:
    """Exact two-sided p of McNemar's test: how often chance alone flips this unevenly.

    Source: Q. McNemar (1947); the exact form is a binomial test of `lost` among `lost + gained` with share 1/2.
    """
    flips = lost + gained
    tail: float = sum(math.comb(flips, k) for k in range(min(lost, gained) + 1)) / 2**flips
    return min(1.0, 2 * tail)


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
    """How many images flipped, and which, for people; `--json` has all."""
    if not len(places):
        return "0"
    shown = " ".join(str(index) for index in data.indices[places[:_SHOWN]].tolist())
    more = f" … {len(places) - _SHOWN} more (--json)" if len(places) > _SHOWN else ""
    return f"{len(places)}   images {shown}{more}"


def as_document(report: Report, data: Dataset) -> dict[str, Any]:
    """A report for `--json`: with the indices of the flipped images in the original split, or their paths."""
    low, high = wilson(report.correct, report.images)
    flips = report.flips
    return {
        "verdict": report.verdict,
        "failures": list(report.failures),
        "images": report.images,
        "accuracy": report.accuracy,
        "wilson_95": [low, high],
        "baseline": report.baseline.accuracy if report.baseline else None,
        "max_drop": report.max_drop,
        "flips": flips
        and {
            "net_loss": flips.net_loss,
            "lost": data.indices[flips.lost].tolist(),
            "gained": data.indices[flips.gained].tolist(),
            "changed": data.indices[flips.changed].tolist(),
        },
    }
