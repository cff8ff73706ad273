"""How a converted model does on one engine, against its float parent: accuracy, flips, differences."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.variant import Variant
from edgecnn.answers import decided
from edgecnn.dataset import Dataset
from edgecnn.manifest import Manifest
from edgecnn.reliability import Reliability
from edgecnn.verdict import Report, judge
from workstation.rejection import rejected

if TYPE_CHECKING:
    import keras

_LARGEST_OF_HALVES = 5e-2  # a parent that computes in float16 is off itself


@dataclass(frozen=True)
class Proof:
    """How a converted model answers on one engine."""

    validation: Report  # the gate reads it
    evaluation: Report | None  # of the test split; no gate reads it
    largest_difference: float  # between a probability and the parent's, on validation images
    mean_difference: float
    outputs: npt.NDArray[np.float32]  # on random images, then on validation images

    def answers_to(self, validation: Dataset) -> npt.NDArray[np.float32]:
        """The probabilities of the validation images."""
        return self.outputs[len(self.outputs) - len(validation) :]


def prove(
    manifest: Manifest, validation: Dataset, outputs: npt.NDArray[np.float32], max_drop: float, limit: float
) -> Proof:
    """Judge an engine's answers to the validation images.

    Args:
        manifest: the conversion's, with its threshold where that is known.
        validation: with the parent's probabilities.
        outputs: probabilities, (n, classes), of random images, if any, and then of the validation images.
        max_drop: share of right answers that may be lost.
        limit: how far a probability may be off.
    """
    answers = outputs[len(outputs) - len(validation) :]
    difference = np.abs(answers - _parent_probabilities(validation))
    largest = float(difference.max())
    report = _judged(manifest, validation, answers, max_drop)
    if not largest <= limit:  # NaN is not, too
        words = f"a probability is off by {largest:.1e}, {limit:.0e} allowed"
        report = replace(report, failures=(*report.failures, words))
    return Proof(report, None, largest, float(difference.mean()), outputs)


def with_rejection(manifest: Manifest, proof: Proof | str, validation: Dataset, missed: str) -> Proof | str:
    """The proof with the answers that are `unknown` by the manifest; `missed` says why none is, but should be."""
    if isinstance(proof, str):
        return proof
    failures = (*proof.validation.failures, *filter(None, [missed]))
    figures = _reliability(manifest, validation, proof.answers_to(validation))
    return replace(proof, validation=replace(proof.validation, failures=failures, reliability=figures))


def with_test_report(
    manifest: Manifest,
    proof: Proof | str,
    evaluation: Dataset,
    answers: npt.NDArray[np.float32] | str,
    max_drop: float,
) -> Proof | str:
    """The proof with a report on the test split, which no gate reads."""
    if isinstance(proof, str) or isinstance(answers, str):
        return proof
    return replace(proof, evaluation=_judged(manifest, evaluation, answers, max_drop))


def _judged(manifest: Manifest, split: Dataset, answers: npt.NDArray[np.float32], max_drop: float) -> Report:
    assert split.labels is not None
    parent, child = (
        decided(probabilities, manifest.multi_label) for probabilities in (_parent_probabilities(split), answers)
    )
    report = judge(split.labels, parent, child, None, max_drop, manifest.labels)
    figures = _reliability(manifest, split, answers)
    return replace(report, notes=(*report.notes, *split.warnings), reliability=figures)


def _reliability(manifest: Manifest, split: Dataset, answers: npt.NDArray[np.float32]) -> Reliability | None:
    return None if manifest.multi_label else rejected(manifest.rejection, answers, np.asarray(split.labels))


def _parent_probabilities(split: Dataset) -> npt.NDArray[np.float32]:
    if split.labels is None or split.probabilities is None:
        raise ValueError("images without the parent's answers prove nothing")
    return split.probabilities


def largest_difference_allowed(model: "keras.Model", variant: Variant) -> float:
    """How far a probability may be off.

    In float only rounding makes a difference; a larger one says that a layer does not do what it does in Keras.
    """
    computes_in_halves = any(layer.compute_dtype in ("float16", "bfloat16") for layer in model._flatten_layers())
    if computes_in_halves and variant.largest_difference < 1:
        return max(variant.largest_difference, _LARGEST_OF_HALVES)
    return variant.largest_difference
