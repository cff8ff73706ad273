"""What a training sees and what it comes to, for people."""

from typing import TYPE_CHECKING

from edgecnn.command import table
from edgecnn.confidence import wilson
from edgecnn.manifest import Baseline
from train.datasets import Data

if TYPE_CHECKING:
    from train.artifacts import Result
    from train.job import Fitted

_MOST_CLASSES = 12  # on one line


def introduction(data: Data) -> list[str]:
    """What to know of the images before a training, in lines."""
    return [*data.notes, *(f"warning: {warning}" for warning in data.warnings), f"{data.name}: {_counts(data)}"]


def in_epochs(count: int) -> str:
    """How many epochs, in words."""
    return f"{count} epoch{'' if count == 1 else 's'}"


def summary(fitted: "Fitted", result: "Result", held: bool | None) -> str:
    """The result as a table for people."""
    job, data, accuracy = fitted.job, fitted.job.data, result.accuracy["evaluation"]
    low, high = wilson(accuracy, len(data.test_images))
    sizes = f"{len(data.train_images):,} images for training, {len(data.test_images):,} for the test"
    rows = [
        ("data", f"{data.name}, {sizes}"),
        ("network", f"{job.network.name}, {fitted.model.count_params():,} parameters"),
        ("accuracy", f"{accuracy:.4f} on the test   95 % interval {low:.4f} to {high:.4f}"),
        ("confused", result.scores.confused),
        ("baseline", _baseline(data.baseline, held)),
        ("calibration", result.reliability.calibration_words(result.rejection)),
        *_unknown(result),
        ("time", f"{result.seconds:.0f} s, {in_epochs(result.epochs)}"),
        ("written", f"{result.output}/model.keras and what belongs to it"),
    ]
    return f"{table(('', f'recipe {job.recipe.name}, seed {job.seed}'), rows)}\n\n{result.scores.as_table()}"


def _unknown(result: "Result") -> list[tuple[str, str]]:
    """The row on `unknown` answers, if --reject asked for them."""
    if result.missed:
        return [("unknown", f"NEVER: {result.missed}")]
    rejection = result.rejection
    return [("unknown", result.reliability.coverage_words(rejection.threshold))] if rejection else []


def _counts(data: Data) -> str:
    """The number of images by class, on one line."""
    counts = data.counts
    first = ", ".join(f"{label}: {count:,}" for label, count in list(counts.items())[:_MOST_CLASSES])
    rest = f", … {len(counts) - _MOST_CLASSES} more, of {min(counts.values()):,} to {max(counts.values()):,} images"
    return f"{sum(counts.values()):,} images: {first}{rest if len(counts) > _MOST_CLASSES else ''}"


def _baseline(baseline: Baseline | None, held: bool | None) -> str:
    if baseline is None:
        return "none for this data set"
    return f"{baseline.accuracy} - {baseline.max_drop}, {'held' if held else 'MISSED'}"
