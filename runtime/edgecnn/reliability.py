"""How far the probabilities and the answers of a model can be relied on, over labelled images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.manifest import Rejection

BINS = 15  # as C. Guo et al. (2017) have it

Shares = npt.NDArray[np.floating[Any]]
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Reliability:
    """The calibration error of a model's probabilities, and its answers that are not `unknown`."""

    images: int
    raw_error: float  # the expected calibration error of the probabilities as the network gives them
    error: float  # and at the manifest's temperature
    answered: int  # images whose answer is not `unknown`
    right: int  # of these

    @property
    def coverage(self) -> float:
        """The share of the images whose answer is not `unknown`."""
        return self.answered / self.images

    @property
    def selective_accuracy(self) -> float | None:
        """The share of right answers among those that are not `unknown`; None where all are.

        Source: Y. Geifman, R. El-Yaniv (2017), "Selective Classification for Deep Neural Networks": one less the
        selective risk.
        """
        return self.right / self.answered if self.answered else None

    def calibration_words(self, rejection: Rejection | None) -> str:
        """The calibration error, for people."""
        words = f"probabilities are off by {self.error:.4f} on average (ECE, {BINS} bins)"
        return f"{words}; {self.raw_error:.4f} before temperature {rejection.temperature:.2f}" if rejection else words

    def coverage_words(self, threshold: float) -> str:
        """The answers that are not `unknown`, for people."""
        least = f"below {threshold:.4f}" if threshold else "never, the share is reached without"
        right = "" if self.selective_accuracy is None else f", {self.selective_accuracy:.4f} of these right"
        return f"{least}: {self.answered:,} of {self.images:,} images answered ({self.coverage:.1%}){right}"

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "calibration_error": self.error,
            "raw_calibration_error": self.raw_error,
            "coverage": self.coverage,
            "selective_accuracy": self.selective_accuracy,
        }


def reliability(raw: Shares, probabilities: Shares, right: Truths, threshold: float) -> Reliability:
    """The reliability of answers.

    Args:
        raw: the probability of each answer as the network gives it, (n,).
        probabilities: the same at the manifest's temperature, (n,).
        right: whether the answer is the image's label, (n,).
        threshold: answers less probable are `unknown`.
    """
    answered = probabilities >= threshold
    return Reliability(
        images=len(right),
        raw_error=calibration_error(raw, right),
        error=calibration_error(probabilities, right),
        answered=int(answered.sum()),
        right=int(right[answered].sum()),
    )


def calibration_error(probabilities: Shares, right: Truths) -> float:
    """The expected calibration error, 0 to 1: by how much the probability of an answer is off, on average.

    Answers are put into 15 bins of equal width by their probability, (n,); in each bin the mean probability is compared
    with the share of right answers.

    Source: M. Naeini, G. Cooper, M. Hauskrecht (2015), "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning"; with 15 bins, each without its lower bound: C. Guo et al. (2017), "On Calibration of Modern Neural
    Networks", 2.
    """
    return float(np.abs(np.bincount(bins(probabilities), probabilities - right, BINS)).sum() / len(right))


def bins(probabilities: Shares) -> npt.NDArray[np.intp]:
    """The bin of each probability, 0 to 14."""
    places: npt.NDArray[np.intp] = np.nan_to_num(np.ceil(probabilities * BINS)).clip(1, BINS).astype(np.intp)
    return places - 1
