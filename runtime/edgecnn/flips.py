"""Where two models answer differently: what a conversion lost against its float parent, and what it gained."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError

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


def find_flips(labels: npt.ArrayLike, parent: npt.ArrayLike, child: npt.ArrayLike) -> Flips:
    """Compare two models' answers with the labels and with each other; all of shape (n,) or (n, labels)."""
    parent_right, child_right = same_answers(labels, parent), same_answers(labels, child)
    return Flips(
        lost=np.flatnonzero(parent_right & ~child_right),
        gained=np.flatnonzero(~parent_right & child_right),
        changed=np.flatnonzero(~parent_right & ~child_right & ~same_answers(parent, child)),
    )


def same_answers(one: npt.ArrayLike, other: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether two answers to an image are the same, (n,); of answers (n, labels), whether all labels are.

    Raises:
        EdgecnnError: the shapes differ: numpy would compare each answer with all.
    """
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape or one.ndim not in (1, 2):
        raise EdgecnnError(f"answers of shape {one.shape} and {other.shape} cannot be compared: give both (images,)")
    equal: npt.NDArray[np.bool_] = one == other
    return equal if equal.ndim == 1 else equal.all(axis=1)


def lost_and_gained(lost: int, gained: int) -> str:
    """Right answers lost and gained, for people: `-1 +6`, or `none`."""
    return f"-{lost} +{gained}" if lost or gained else "none"


def listed_images(places: Indices, indices: npt.NDArray[np.generic]) -> str:
    """How many images stand at these places of a data set, and which, for people; `--json` has all."""
    if not len(places):
        return "0"
    most, between = (_SHOWN_FILES, ", ") if indices.dtype.kind == "U" else (_SHOWN, " ")  # names hold blanks
    shown = between.join(str(index) for index in indices[places[:most]].tolist())
    more = f" … {len(places) - most} more (--json)" if len(places) > most else ""
    return f"{len(places)}   images {shown}{more}"
