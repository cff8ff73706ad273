"""What to know of a folder's pictures before a network is trained on them, in words."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgecnn.files import write_file
from edgecnn.image_folders import left_out
from train.layouts import SPLITS, TEST, TRAIN, VALIDATION
from train.picture_cache import Pictures


def kept_together(pictures: Pictures) -> tuple[str, ...]:
    """A note on the near-duplicates within a split, if there are some."""
    _, group, sizes = np.unique(pictures.groups, return_inverse=True, return_counts=True)
    last = np.zeros(len(sizes), np.int64)
    np.maximum.at(last, group, pictures.splits)
    parted = np.zeros(len(sizes), bool)
    parted[group[pictures.splits != last[group]]] = True
    together = sizes[(sizes > 1) & ~parted]
    if len(together) == 0:
        return ()
    return (f"{together.sum():,} near-duplicates, in {len(together):,} groups: each group stays in one split",)


def left_out_with_reason(pictures: Pictures) -> tuple[str, ...]:
    """A note on the pictures that cannot be read, with the first reason."""
    reasons = [f"{name} {why}" for name, why in pictures.unread.items()][:1]
    return tuple("; ".join((words, *reasons)) for words in left_out(pictures.unread, len(pictures.labels)))


def shared_pictures(pictures: Pictures) -> tuple[str, ...]:
    """Notes on splits that came with the folder and share pictures with its training split."""
    notes = []
    for split in (VALIDATION, TEST):
        own, trained = (np.flatnonzero(pictures.splits == part) for part in (split, TRAIN))
        shared = own[np.isin(pictures.groups[own], pictures.groups[trained])]
        if len(shared):
            twin = trained[np.flatnonzero(pictures.groups[trained] == pictures.groups[shared[0]])[0]]
            notes.append(
                f"{len(shared):,} of {len(own):,} images for {SPLITS[split]} are, or nearly are, images for training"
                f" (such as {pictures.names[shared[0]]} and {pictures.names[twin]}): the accuracy there says too much"
            )
    return tuple(notes)


def list_left_out(path: Path, unread: Mapping[str, str]) -> None:
    """Write the pictures that could not be read, and why; without any, remove the list of an earlier training."""
    if not unread:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO()
    csv.writer(text).writerows([("image", "reason"), *unread.items()])
    write_file(path, text.getvalue().encode())
