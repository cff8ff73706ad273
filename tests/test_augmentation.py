"""Pictures are changed as the recipe says, and the same state of the random numbers changes them alike."""

import numpy as np
import numpy.typing as npt
import pytest

from train.augmentation import Augmentation, augment
from train.mixing import mix

RAMP = np.broadcast_to(np.arange(0, 240, 10, dtype=np.uint8)[:, np.newaxis], (24, 24))  # brighter downwards
PICTURES = np.stack([np.stack([RAMP, RAMP.T, np.full((24, 24), shade, np.uint8)], -1) for shade in range(0, 256, 4)])
ALL = Augmentation(mirror=True, shift=0.125, zoom=0.1, colour=0.2, blur=0.5, erasing=0.5)


def changed(by: Augmentation, seed: int = 0) -> npt.NDArray[np.uint8]:
    return augment(PICTURES, by, np.random.default_rng(seed))


def test_nothing_asked_for_changes_nothing() -> None:
    assert (changed(Augmentation()) == PICTURES).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_copies_have_their_originals_shape_and_the_same_seed_gives_the_same(channels: int) -> None:
    pictures = PICTURES[..., :channels]
    copies = [augment(pictures, ALL, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert copies[0].dtype == np.uint8
    assert copies[0].shape == pictures.shape
    assert (copies[0] == copies[1]).all()
    assert (copies[0] != copies[2]).any()


def test_half_of_the_pictures_are_mirrored_left_and_right() -> None:
    copies = changed(Augmentation(mirror=True))
    same = (copies == PICTURES).all(axis=(1, 2, 3))
    mirrored = (copies == PICTURES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 16 < mirrored.sum() < 48


def test_a_shift_moves_by_up_to_its_share_of_a_side() -> None:
    copies = changed(Augmentation(shift=0.125))
    moves = (copies[:, 12, 12, :2].astype(int) - PICTURES[:, 12, 12, :2]) // 10
    assert abs(moves).max() == 3
    assert len(np.unique(moves)) == 7


def test_a_zoom_stretches_a_batch_and_leaves_its_middle() -> None:
    steps = []
    for seed in range(20):
        copies = changed(Augmentation(zoom=0.2, shift=0.125), seed).astype(float)
        steps.append(float(np.diff(copies[0, 8:16, 12, 0]).mean()))  # 10 a pixel in the original
    assert 10 * np.exp(-0.25) < min(steps) < 9.5
    assert 10.5 < max(steps) < 10 * np.exp(0.25)


def test_blur_and_erasing_meet_their_share_of_the_pictures() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 12, 12, 3), np.uint8)
    blurred = augment(noise, Augmentation(blur=0.25), np.random.default_rng(0))
    met = (blurred != noise).any(axis=(1, 2, 3))
    assert 70 < met.sum() < 130
    assert blurred[met].std() < 0.6 * noise[met].std()
    erased = augment(noise, Augmentation(erasing=0.25), np.random.default_rng(0))
    shares = (erased != noise).any(axis=3).mean(axis=(1, 2))
    assert 70 < (shares > 0).sum() < 130
    assert shares.max() <= 0.25


def test_colour_keeps_what_is_grey_grey() -> None:
    grey = np.repeat(PICTURES[..., :1], 3, axis=3)
    copies = augment(grey, Augmentation(colour=0.3), np.random.default_rng(0))
    assert (copies != grey).any()
    assert (np.ptp(copies, axis=3) <= 1).all()


def test_mixed_pictures_have_mixed_targets() -> None:
    """A picture of one shade per class: the mean shade of a mixture tells the share of each class in it."""
    shades = np.arange(8, dtype=np.float32)
    images, targets = np.broadcast_to(shades[:, None, None, None], (8, 16, 16, 3)), np.eye(8, dtype=np.float32)
    seen = set()
    for seed in range(20):
        mixed, rows = mix(images, targets, np.random.default_rng(seed))
        assert np.allclose(mixed.mean(axis=(1, 2, 3)), rows @ shades, atol=1e-4)
        assert np.allclose(rows.sum(axis=1), 1, atol=1e-6)
        seen.add(bool(mixed[0].std() > 1e-6))
    assert seen == {True, False}  # pasted, and blended
