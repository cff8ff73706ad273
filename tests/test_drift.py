"""Drift: a change of pictures or answers is named, and shuffled validation images raise no alarm."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from conftest import refused, run_here

from benchmarks.drift import Row, _row
from edgecnn import SHIPPED, Classifier
from edgecnn.drift import WINDOW, Drift, drift_of
from edgecnn.manifest import Manifest
from edgecnn.prediction import Prediction
from edgecnn.reference import Histogram, histogram, reference_of
from edgecnn.stability import LEAST, critical_index, ending_index, images_needed, stability_index
from train.datasets import digits

Images = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def validation() -> Images:
    data = digits()
    return np.concatenate([data.train_images, data.test_images])


@pytest.fixture(scope="module")
def answers(validation: Images) -> list[Prediction]:
    return [Classifier().predict(image) for image in validation]


@pytest.fixture(scope="module")
def manifest(validation: Images, answers: list[Prediction]) -> Manifest:
    probabilities = np.stack([answer.probabilities for answer in answers])
    return replace(Classifier().manifest, reference=reference_of(validation, probabilities))


def kinds(manifest: Manifest, images: Images, answers: list[Prediction]) -> set[str]:
    """All kinds of findings over a stream of images, looked at after each ten."""
    drift = drift_of(manifest)
    assert drift is not None
    named = set()
    for number, (image, answer) in enumerate(zip(images, answers, strict=True)):
        drift.add(image, answer)
        if number % 10 == 9:
            named |= {finding.kind for finding in drift.findings()}
    return named


def test_shuffled_validation_images_raise_no_alarm(
    manifest: Manifest, validation: Images, answers: list[Prediction]
) -> None:
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(validation))[:1000]
        assert kinds(manifest, validation[order], [answers[place] for place in order]) == set(), seed


CHANGES: dict[str, tuple[str, Callable[[Images], Images]]] = {
    "brightness halved": ("pixels", lambda images: images // 2),
    "noise added": (
        "pixels",
        lambda images: (images + np.random.default_rng(1).normal(0, 30, images.shape)).clip(0, 255).astype(np.uint8),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_pixels_are_named_within_a_window(name: str, manifest: Manifest, validation: Images) -> None:
    kind, change = CHANGES[name]
    images = change(validation[np.random.default_rng(0).permutation(len(validation))[:500]])
    assert kind in kinds(manifest, images, [Classifier().predict(image) for image in images])


def test_a_label_that_is_gone_is_named_after_a_window_of_all(
    manifest: Manifest, validation: Images, answers: list[Prediction]
) -> None:
    order = np.random.default_rng(0).permutation(len(validation))
    without = [place for place in order if answers[place].label != "3"]
    drift = drift_of(manifest)
    assert drift is not None
    for place in [*order[:WINDOW], *without[:WINDOW]]:
        drift.add(validation[place], answers[place])
    (finding,) = drift.findings()
    assert (finding.kind, finding.images) == ("labels", WINDOW)
    assert finding.words.startswith("'3' in 0.0% of the answers, ")


def test_nothing_is_said_before_there_are_enough_pictures(manifest: Manifest, validation: Images) -> None:
    drift = drift_of(manifest)
    assert drift is not None
    dark = np.zeros_like(validation[0])
    answer = Classifier().predict(dark)
    first = None
    for number in range(1, WINDOW + 1):
        drift.add(dark, answer)
        if drift.findings() and first is None:
            first = number
    assert first == min(drift.needs.values())
    assert drift.indices()["brightness"] > 1


def test_a_change_near_the_limit_does_not_begin_and_end_again_and_again(
    manifest: Manifest, validation: Images, answers: list[Prediction]
) -> None:
    """One picture in twenty is dark: the index of brightness wavers about its limit."""
    drift, random = drift_of(manifest), np.random.default_rng(0)
    assert drift is not None
    assert manifest.reference is not None
    limit = critical_index(len(manifest.reference.brightness.shares), manifest.reference.images, WINDOW)
    above, named = [], []
    for number in range(1, 10_001):
        place = int(random.integers(len(validation)))
        image = validation[place]
        drift.add(image // 2 if random.random() < 1 / 20 else image, answers[place])
        if number >= WINDOW and number % 10 == 0:
            above.append(drift.indices()["brightness"] > limit)
            named.append("brightness" in {finding.statistic for finding in drift.findings()})
    crossings, turns = (int(np.diff(states).sum()) for states in (above, named))
    assert crossings > 20
    assert any(named)
    assert turns < crossings / 3
    assert all(one >= other for one, other in zip(named, above, strict=True))  # none is missed


def test_a_change_is_over_once_its_pictures_have_left_the_window(
    manifest: Manifest, validation: Images, answers: list[Prediction]
) -> None:
    drift = drift_of(manifest)
    assert drift is not None
    order = np.random.default_rng(0).permutation(len(validation))
    for image in validation[order[:WINDOW]] // 2:
        drift.add(image, answers[order[0]])
    assert drift.findings()
    for place in order[WINDOW : 2 * WINDOW]:
        drift.add(validation[place], answers[place])
    assert drift.findings() == []


def test_a_change_can_end_whatever_the_number_of_bins() -> None:
    """Chance alone is below the lower limit, but for one time in a hundred."""
    from scipy.stats import chi2

    for bins in (2, 3, 10, 100, 1000):
        for images, sample in ((5000, 500), (200, 500), (10**5, 10**5)):
            least = chi2.isf(0.01, bins - 1) * (1 / images + 1 / sample)
            assert least < ending_index(bins, images, sample) < critical_index(bins, images, sample)


def test_the_index_of_equal_shares_is_nothing_and_of_others_as_computed_by_hand() -> None:
    shares = np.array([0.5, 0.5])
    assert stability_index(shares, 1000, np.array([50, 50])).sum() == pytest.approx(0)
    by_hand = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert stability_index(shares, 10**6, np.array([25, 75]) * 10_000).sum() == pytest.approx(by_hand, rel=1e-3)


def test_chance_is_that_of_the_chi_square_distribution() -> None:
    from scipy.stats import chi2

    for bins in (3, 10, 100):
        exact = chi2.isf(1e-6, bins - 1) * (1 / 5000 + 1 / 50)
        assert critical_index(bins, 5000, 50) == pytest.approx(exact, rel=0.1)  # by an approximation
    assert critical_index(10, 10**6, 10**6) == LEAST
    assert images_needed(10, 100, 300) == 300  # a reference of few images
    assert 150 < images_needed(10, 5000, 500) < 250


def test_an_answer_that_nearly_all_have_is_no_edge() -> None:
    values = np.array([0.9] * 5 + [0.99] * 5 + [255 / 256] * 90, np.float32)
    bounds = histogram(values)
    assert all(min(abs(edge - value) for value in values) > 1e-4 for edge in bounds.edges)
    assert histogram(np.ones(9)).shares == (0.0, 1.0)
    assert isinstance(bounds, Histogram)


def test_rare_labels_share_a_bin(manifest: Manifest, answers: list[Prediction], validation: Images) -> None:
    assert manifest.reference is not None
    shares = (0.992, *[0.001] * 8, 0.0)
    drift = Drift(manifest, replace(manifest.reference, labels=shares), WINDOW)
    assert set(drift.needs) == {"brightness", "contrast", "detail", "probability", "labels"}
    for image, answer in zip(validation[:WINDOW], answers, strict=False):
        drift.add(image, answer)
    words = {finding.statistic: finding.words for finding in drift.findings()}["labels"]
    assert words.startswith("rare labels in ")


def test_a_model_without_a_reference_has_no_drift(tmp_path: Path) -> None:
    assert drift_of(replace(Classifier().manifest, reference=None)) is None
    if Classifier().manifest.reference is None:
        refused(run_here("benchmarks.drift", SHIPPED, tmp_path / "none.npz"), "has no reference: convert it again")


def test_a_change_that_is_missed_or_chance_that_is_named_fails() -> None:
    assert _row("none", [None, None]).passed
    assert not _row("none", [None, 40]).passed
    assert _row("no 7", [40, 60]) == Row("no 7", 2, 2, 50, 60)
    assert not _row("no 7", [40, None]).passed
