"""The option --reject: a model's temperature and its threshold for `unknown`, fitted to its answers on validation."""

import argparse

import numpy as np
import numpy.typing as npt

from edgecnn import arguments
from edgecnn.answers import Floats, at_temperature
from edgecnn.dataset import Dataset
from edgecnn.errors import EdgecnnError
from edgecnn.manifest import LARGEST_TEMPERATURE, LEAST_FLOOR, LEAST_TEMPERATURE, Manifest, Rejection
from edgecnn.reliability import Reliability, reliability

ENOUGH_MISTAKES = 10
_FLOORS = 0.5 * np.logspace(0, -3, 7)  # of the smallest probability that is stored
_HALVINGS = 30

Labels = npt.NDArray[np.int64]


def add_reject_option(parser: argparse._ActionsContainer, default: str) -> None:
    """Add the option; `default` says what it is without it."""
    parser.add_argument(
        "--reject",
        type=arguments.share,
        metavar="SHARE",
        help="answer 'unknown' where the probability is too low, so that of the other answers to validation images this"
        f" share is right, as 0.99 (selective accuracy); 0: never; {default}",
    )


def check_reject(manifest: Manifest, validation: Dataset) -> None:
    """Refuse what --reject cannot do.

    Raises:
        EdgecnnError: validation has no labels, or the model's images show several.
    """
    if manifest.multi_label:
        raise EdgecnnError("--reject is for images that show one label, here they may show several: leave it out")
    if validation.labels is None:
        raise EdgecnnError("--reject needs labels: name a folder with a folder for each label by --validation")


def fit_rejection(probabilities: Floats, labels: Labels, share: float) -> tuple[Rejection | None, str]:
    """The temperature and the threshold with which a share of the answers is right, and as many as possible are given.

    Args:
        probabilities: a model's own, as it gives them, (n, classes).
        labels: of the images, (n,).
        share: wanted, of right answers among those that are not `unknown`; 0 for none.

    Returns:
        Both; None where no threshold reaches the share, with the reason in words, and where the share is 0.
    """
    if not share:
        return None, ""
    if not np.isfinite(probabilities).all():
        return None, f"--reject {share:g} needs probabilities, but some are NaN or infinite"
    temperature, floor = _fit_temperature(probabilities, labels)
    scaled = at_temperature(probabilities, temperature, floor)
    threshold = _threshold(scaled.max(axis=1), scaled.argmax(axis=1) == labels, share)
    return (None, threshold) if isinstance(threshold, str) else (Rejection(share, threshold, temperature, floor), "")


def rejected(rejection: Rejection | None, probabilities: Floats, labels: Labels) -> Reliability:
    """The reliability of a model with probabilities (n, classes), as it gives them, and with these labels (n,)."""
    scaled = at_temperature_of(rejection, probabilities)
    right = probabilities.argmax(axis=1) == labels
    return reliability(probabilities.max(axis=1), scaled.max(axis=1), right, rejection.threshold if rejection else 0.0)


def at_temperature_of(rejection: Rejection | None, probabilities: Floats) -> Floats:
    """Probabilities at the temperature of a manifest; as they are where it has none."""
    return at_temperature(probabilities, rejection.temperature, rejection.floor) if rejection else probabilities


def _fit_temperature(probabilities: Floats, labels: Labels) -> tuple[float, float]:
    """The temperature and the floor with the least negative log likelihood.

    A quantized probability of 0 stands for any below half a step. Half a step itself would be too much: of ten labels
    nine that are stored as 0 would get together more than a hundredth. So the floor is fitted as well.

    Fewer than ten mistakes tell nothing about a parameter: the temperature is then 1. Source of the number:
    P. Peduzzi et al. (1996), "A simulation study of the number of events per variable in logistic regression analysis".
    """
    if (probabilities.argmax(axis=1) != labels).sum() < ENOUGH_MISTAKES:
        return 1.0, LEAST_FLOOR
    floors = np.maximum(LEAST_FLOOR, _FLOORS * probabilities[probabilities > 0].min()).tolist()
    fits = [(*_least_loss(np.log(np.maximum(probabilities, floor)), labels), floor) for floor in floors]
    _, temperature, floor = min(fits)
    return temperature, floor


def _least_loss(logits: Floats, labels: Labels) -> tuple[float, float]:
    """The least mean negative log likelihood over temperatures, and its temperature.

    The loss is convex in the temperature's inverse: where its slope is above 0 the inverse is too large.
    """
    of_labels = logits[np.arange(len(labels)), labels]
    low, high = 1 / LARGEST_TEMPERATURE, 1 / LEAST_TEMPERATURE
    for _ in range(_HALVINGS):
        inverse = float(np.sqrt(low * high))
        powers = np.exp((logits - logits.max(axis=1, keepdims=True)) * inverse)
        slope = (powers * logits).sum(axis=1) / powers.sum(axis=1) - of_labels
        low, high = (low, inverse) if slope.mean(dtype=np.float64) > 0 else (inverse, high)
    losses = np.log(powers.sum(axis=1)) + (logits.max(axis=1) - of_labels) * inverse
    return float(losses.mean(dtype=np.float64)), 1 / inverse


def _threshold(probabilities: Floats, right: npt.NDArray[np.bool_], share: float) -> float | str:
    """The lowest threshold above which the share of right answers is reached; or in words that there is none.

    It lies halfway to the next lower probability: another engine may be off by a rounding. It is 0 where all answers
    reach the share.
    """
    levels, place = np.unique(probabilities, return_inverse=True)
    answered = np.bincount(place)[::-1].cumsum()[::-1]
    correct = np.bincount(place, right)[::-1].cumsum()[::-1]
    shares = correct / answered
    reached = np.flatnonzero(correct >= share * answered - 1e-9)
    if not len(reached):
        best = int(shares.argmax())
        surest = f"of the surest {answered[best]:,} of {len(right):,} answers {shares[best]:.4f} are right"
        return f"no threshold reaches --reject {share:g} on validation: {surest}; ask for less"
    lowest = int(reached[0])
    return float((levels[lowest - 1] + levels[lowest]) / 2) if lowest else 0.0
