"""How soon a change of pictures or answers is named, and how often chance is (edgecnn.drift).

Streams are shuffles of labelled images, of validation: 20 of them as they are, in which every finding is a false alarm;
and 20 of each change, which begins after 500 pictures as they are, so that the window is full of these.

Examples:
  python -m benchmarks.drift artifacts/mnist/model_int8.tflite artifacts/mnist/validation.npz
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from edgecnn.classifier import Classifier
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.dataset_reading import read_dataset
from edgecnn.drift import WINDOW, Drift, drift_of
from edgecnn.errors import EdgecnnError
from edgecnn.model_opening import open_model
from edgecnn.prediction import Prediction

SHUFFLES = 20
_LOOK = 10  # pictures between two looks, as `edgecnn watch` does
_NOISE = 30.0  # standard deviation, of 255

Images = npt.NDArray[np.uint8]
Pairs = list[tuple[Images, Prediction]]


@dataclass(frozen=True)
class Row:
    """What became of the streams of a change."""

    change: str
    streams: int
    named: int  # streams with a finding of the kind that the change is
    median: float | None  # pictures from the change to the first such finding
    largest: int | None

    @property
    def passed(self) -> bool:
        """Whether it was named within a window, in each stream; of no change, never."""
        return self.named == (0 if self.change == "none" else self.streams)


def _noisy(images: Images) -> Images:
    noise = np.random.default_rng(0).normal(0, _NOISE, images.shape)
    return (images + noise).clip(0, 255).astype(np.uint8)


CHANGES: dict[str, Callable[[Images], Images]] = {
    "brightness halved": lambda images: images >> np.uint8(1),
    "noise added": _noisy,
}


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.drift`."""
    parser = command_parser("python -m benchmarks.drift", __doc__)
    parser.add_argument("model", type=Path, help="a .tflite or .onnx whose manifest has a reference")
    parser.add_argument("data", type=Path, help="validation.npz")
    options = parser.parse_args(argv)
    classifier = open_model(options.model)
    if classifier.manifest.reference is None:
        raise EdgecnnError(f"{options.model} has no reference: convert it again")
    images = read_dataset(options.data, classifier.manifest).images
    rows = [*_rows(classifier, images)]
    if options.json:
        print_json([asdict(row) for row in rows])
    else:
        head = ("change", "streams", "named", "pictures until then, median", "largest")
        print(table(head, [tuple(str("–" if it is None else it) for it in asdict(row).values()) for row in rows]))
    return OK if all(row.passed for row in rows) else GATE_FAILED


def _rows(classifier: Classifier, images: Images) -> Iterable[Row]:
    pairs = _answered(classifier, images)
    yield _row("none", [_first(classifier, _shuffled(pairs, seed), 0, "") for seed in range(SHUFFLES)])
    for name, change in CHANGES.items():
        changed = _answered(classifier, change(images))
        yield _row(name, [_after(classifier, pairs, changed, seed, "pixels") for seed in range(SHUFFLES)])
    for place, label in enumerate(classifier.manifest.labels):
        others = [pair for pair in pairs if pair[1].index != place]
        if 0 < len(others) < len(pairs):
            firsts = [_after(classifier, pairs, others, seed, "labels") for seed in range(SHUFFLES)]
            yield _row(f"no {label}", firsts)


def _answered(classifier: Classifier, images: Images) -> Pairs:
    return list(zip(images, classifier.predict_batch(images), strict=True))


def _shuffled(pairs: Pairs, seed: int) -> Pairs:
    return [pairs[place] for place in np.random.default_rng(seed).permutation(len(pairs))]


def _after(classifier: Classifier, before: Pairs, changed: Pairs, seed: int, kind: str) -> int | None:
    """Pictures from a change to the first finding of a kind; None if there is none within a window."""
    stream = [*_shuffled(before, seed)[:WINDOW], *_shuffled(changed, seed + SHUFFLES)[:WINDOW]]
    return _first(classifier, stream, WINDOW, kind)


def _first(classifier: Classifier, stream: Pairs, begin: int, kind: str) -> int | None:
    """The number of a stream's pictures after `begin` at the first finding; of any kind if none is named."""
    drift = drift_of(classifier.manifest)
    assert drift is not None
    for number, (image, answer) in enumerate(stream, 1):
        drift.add(image, answer)
        if number > begin and number % _LOOK == 0 and _is_named(drift, kind):
            return number - begin
    return None


def _is_named(drift: Drift, kind: str) -> bool:
    return any(finding.kind == kind or not kind for finding in drift.findings())


def _row(change: str, firsts: Sequence[int | None]) -> Row:
    named = [first for first in firsts if first is not None]
    return Row(change, len(firsts), len(named), median(named) if named else None, max(named, default=None))


if __name__ == "__main__":
    sys.exit(main())
