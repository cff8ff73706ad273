"""Run a model over labelled images and judge its answers: `edgecnn check`."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.answers import decided
from edgecnn.classifier import Classifier
from edgecnn.confidence import loss_interval
from edgecnn.dataset import Dataset
from edgecnn.errors import EdgecnnError
from edgecnn.reliability import Reliability, reliability
from edgecnn.scores import scores_of
from edgecnn.verdict import Report, judge


def check(classifier: Classifier, data: Dataset, max_drop: float | None = None) -> Report:
    """Run a model over labelled images and judge it by the rules that apply.

    1. Its net loss against its float parent is at most `allowed_loss`, if the data holds the parent's answers.
    2. Its accuracy is at least the baseline less the drop, if the manifest names a baseline and the images are of the
       data set that it was trained on, or come from a folder.

    Args:
        classifier: the model.
        data: images that fit it.
        max_drop: instead of the manifest's (0.005 if that has none).

    Raises:
        EdgecnnError: the data has no labels, or holds the answers of another float model.
    """
    manifest = classifier.manifest
    if data.source and data.source.weights_sha256 != manifest.weights_sha256:
        raise EdgecnnError(
            "the data holds the answers of another float model than this model was converted from:"
            " use the .npz files of the same training"
        )
    if data.labels is None:
        raise EdgecnnError(
            "the images have no labels: pass a folder with a folder for each label, or an .npz with an array labels"
        )
    several = manifest.multi_label
    child, figures = _decided_each(classifier, data) if several else answered(classifier, data)
    parent = None if data.probabilities is None else decided(data.probabilities, several)
    trained = manifest.training.dataset if manifest.training else None
    applies = data.source is None or data.source.dataset == trained
    baseline = manifest.baseline if applies else None
    report = judge(data.labels, parent, child, baseline, max_drop, manifest.labels)
    scores = scores_of(data.labels, child, manifest.labels)
    return replace(report, notes=(*report.notes, *data.notes), reliability=figures, scores=scores)


def _decided_each(classifier: Classifier, data: Dataset) -> tuple[npt.NDArray[Any], None]:
    """The answers of a multi-label model, (n, labels)."""
    return np.stack([decided(answer.probabilities, True) for answer in classifier.predict_batch(data.images)]), None


def answered(classifier: Classifier, data: Dataset) -> tuple[npt.NDArray[Any], Reliability]:
    """The most probable labels, (n,), also of images that are `unknown`; and their reliability.

    Args:
        classifier: of a model whose images show one label.
        data: images with labels.
    """
    answers = [
        (answer.index, answer.raw_probabilities[answer.index], answer.probability)
        for answer in classifier.predict_batch(data.images)
    ]
    child, raw, probabilities = (np.array(column) for column in zip(*answers, strict=True))
    return child, reliability(raw, probabilities, child == data.labels, classifier.threshold)


def as_document(report: Report, data: Dataset) -> dict[str, Any]:
    """A report for `--json`, with the indices of the flipped images in the original split, or their paths."""
    flips = report.flips
    return {
        "verdict": report.verdict,
        "failures": list(report.failures),
        "notes": list(report.notes),
        "images": report.images,
        "accuracy": report.accuracy,
        **({"accuracy_by_label": report.accuracy_by_label} if report.by_label else {}),
        "wilson_95": list(report.interval),
        **(report.reliability.as_document() if report.reliability else {}),
        "mistakes": data.indices[report.wrong].tolist(),
        **(report.scores.as_document() if report.scores else {}),
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
