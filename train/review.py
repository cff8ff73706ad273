"""What a review of a data set's labels found; it loads no TensorFlow."""

from dataclasses import asdict, dataclass
from typing import Any

from edgecnn.command import table

_SHOWN = 12  # label errors that people see in the table
_BELIEVED = 0.8  # share of the labels with which the networks agree


@dataclass(frozen=True)
class LabelError:
    """An image whose label is probably wrong."""

    image: str  # the file's name, or the split and the place in it
    label: str
    probable: str  # the label that it should have
    probability: float  # of that one
    of_label: float  # the probability of the label that it has


@dataclass(frozen=True)
class Review:
    """The labels of a data set, reviewed."""

    images: int
    folds: int
    accuracy: float  # of the networks on the images of their fold
    errors: tuple[LabelError, ...]  # the least probable labels first
    written: tuple[str, ...]

    def as_document(self) -> dict[str, Any]:
        """For `--json`."""
        document = asdict(self)
        return document | {"label_errors": document.pop("errors")}

    def as_table(self) -> str:
        """The first label errors, for people."""
        head = ("image", "label", "probable", "its probability", "that of the label")
        rows = [
            (error.image, error.label, error.probable, f"{error.probability:.3f}", f"{error.of_label:.3f}")
            for error in self.errors[:_SHOWN]
        ]
        doubt = ": too few to believe this list; try more --epochs or another --network"
        end = [
            f"{len(self.errors):,} of {self.images:,} labels are probably wrong: look at {' and '.join(self.written)}",
            f"The networks agree with {self.accuracy:.4f} of the labels{doubt if self.accuracy < _BELIEVED else ''}.",
        ]
        return "\n\n".join([*([table(head, rows)] if rows else []), "\n".join(end)])
