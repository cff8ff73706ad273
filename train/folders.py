"""Your own images: a folder with a folder for each class, or with such folders in `train/`, `val/` and `test/`."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from edgecnn.cpu import cores
from edgecnn.errors import EdgecnnError
from edgecnn.images import read_image
from edgecnn.labels import listed
from edgecnn.manifest import Input
from edgecnn.shrinking import Pixels
from edgecnn.workers import map_chunks
from train.layouts import TEST, TRAIN, Listing
from train.near_duplicates import Fingerprint, fingerprint, near_duplicates, without_crowds
from train.picture_cache import Pictures, new_array
from train.splits import Labels, split_test

LEAST_IMAGES = 100  # fewer leave too little to calibrate and to judge by
MOST_UNREAD = 0.1  # share of the pictures that cannot be read: more are no accident
_CHUNK = 8  # pictures that a thread reads at a time

Read = tuple[Pixels, Fingerprint] | str  # or why it cannot be read


def decode_pictures(listing: Listing, shape: tuple[int, int, int], folder: Path) -> Pictures:
    """Decode the pictures of a folder, scaled to `shape` (height, width, channels), as `edgecnn check` does.

    Near-duplicates get one number; images for the test are cut off if none are there.

    Args:
        listing: the pictures.
        shape: of the results.
        folder: for a file of all their pixels.

    Raises:
        EdgecnnError: too many cannot be read, a class has none that can, or there are too few in all.
    """
    path = folder / "decoded.npy"
    images = new_array(path, (len(listing.files), *shape))
    path.unlink()  # it stays until nobody has it open
    places, prints, unread = _read_all(listing, images)
    labels, splits = listing.labels[places], listing.splits[places]
    _check_counts(listing, labels[splits == TRAIN], unread)
    bits, tones = (np.stack(column) for column in zip(*prints, strict=True))
    groups = without_crowds(near_duplicates(bits, tones), labels)
    names = np.array([listing.name_of(listing.files[place]) for place in places])
    if TEST not in splits:
        training = int((splits == TRAIN).sum())  # these come first
        test, _ = split_test(images[:training], labels[:training], groups[:training])
        splits[test] = TEST
    return Pictures(np.asarray(images[: len(places)]), labels, splits, groups, names, unread)


def _read_all(listing: Listing, images: Pixels) -> tuple[list[int], list[Fingerprint], dict[str, str]]:
    """Read the pictures into `images`, one after the other; the places of those that can be read, and why not others.

    Raises:
        EdgecnnError: too many cannot be read.
    """
    wanted = Input(images.shape[1:], pixel_scale=(1.0,), pixel_offset=(0.0,))
    places: list[int] = []
    prints, unread = [], {}
    reading = map_chunks(lambda paths: [_read(path, wanted) for path in paths], iter(listing.files), _CHUNK, cores())
    for place, outcome in enumerate(tqdm(reading, "reading", len(listing.files), leave=False, disable=None)):
        if isinstance(outcome, str):
            unread[listing.name_of(listing.files[place])] = outcome
        else:
            images[len(places)], mark = outcome
            places.append(place)
            prints.append(mark)
    if len(unread) > MOST_UNREAD * len(listing.files):
        name, why = next(iter(unread.items()))
        raise EdgecnnError(
            f"{listing.root}: {len(unread)} of {len(listing.files)} images cannot be read, more than one in ten: mend"
            f" or remove them; {name}: {why}"
        )
    return places, prints, unread


def _read(path: Path, wanted: Input) -> Read:
    try:
        pixels = read_image(path, wanted)
    except EdgecnnError as error:
        return str(error).removeprefix(f"{path} ")
    return pixels, fingerprint(pixels)


def _check_counts(listing: Listing, labels: Labels, unread: dict[str, str]) -> None:
    """Refuse classes without a picture that can be read, and too few pictures.

    Raises:
        EdgecnnError: with the remedy.
    """
    counts = np.bincount(labels, minlength=len(listing.classes))
    empty = [name for name, count in zip(listing.classes, counts, strict=True) if count == 0]
    if empty:
        why = "; ".join(f"{name}: {reason}" for name, reason in list(unread.items())[:1])
        raise EdgecnnError(f"{listing.root} has no images that can be read in {listed(empty)}; {why}")
    if len(labels) < LEAST_IMAGES:
        raise EdgecnnError(
            f"{listing.root} has {len(labels)} images; {LEAST_IMAGES} are the least to train and judge by"
        )
