"""Compare the pictures and answers of now with those of validation: a dark or dirty lens, other things than before."""

import bisect
import threading
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.manifest import Manifest
from edgecnn.prediction import Prediction
from edgecnn.reference import PIXELS, STATISTICS, Histogram, Reference, statistics
from edgecnn.stability import critical_index, ending_index, images_needed, stability_index

WINDOW = 500  # pictures that are compared, the newest ones
_RARE = 5  # pictures of a label expected in a window; rarer labels are one. Source: W. Cochran (1954)
KINDS = ("pixels", "confidence", "labels")  # of findings
_KINDS = dict.fromkeys(PIXELS, "pixels") | {"probability": "confidence", "labels": "labels"}


@dataclass(frozen=True)
class Finding:
    """A change against validation."""

    kind: str  # pixels, confidence or labels
    statistic: str  # one of edgecnn.reference.STATISTICS
    index: float  # population stability index
    limit: float  # that it exceeds
    images: int  # it was computed over
    words: str

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


class _Labels:
    """The bins of labels: each frequent one has its own, rare ones share the last."""

    def __init__(self, reference: Reference, window: int) -> None:
        frequent = [place for place, share in enumerate(reference.labels) if share * window >= _RARE]
        self.places = [len(frequent)] * len(reference.labels)
        for bin_number, place in enumerate(frequent):
            self.places[place] = bin_number
        shares = np.bincount(self.places, reference.labels, len(frequent) + 1)
        self.shares = shares if len(frequent) < len(reference.labels) else shares[:-1]
        self.frequent = frequent


class Drift:
    """The newest pictures and answers beside validation's; threads may share one.

    Args:
        manifest: of the model; it has a reference.
        reference: the manifest's.
        window: pictures that are compared.

    Attributes:
        needs: pictures after which findings are possible, by statistic.
        seen: pictures so far.
    """

    def __init__(self, manifest: Manifest, reference: Reference, window: int = WINDOW) -> None:
        self._manifest, self._reference, self._window = manifest, reference, window
        self._histograms: list[Histogram] = [getattr(reference, name) for name in STATISTICS[:-1]]
        self._labels = _Labels(reference, window)
        expected = [np.asarray(histogram.shares) for histogram in self._histograms]
        self._expected = dict(zip(STATISTICS, [*expected, self._labels.shares], strict=True))
        self._counts = [np.zeros(len(shares), np.int64) for shares in self._expected.values()]
        self._bins = np.zeros((window, len(STATISTICS)), np.int32)
        self._figures = np.zeros((window, len(self._histograms)), np.float32)
        self._lock = threading.Lock()
        self._changed: set[str] = set()  # statistics that were findings at the last look
        self.seen = 0
        self.needs = {
            name: images_needed(len(shares), reference.images, window) for name, shares in self._expected.items()
        }

    def add(self, pixels: npt.NDArray[np.uint8], prediction: Prediction) -> None:
        """Take in a picture, uint8 in the model's shape, and its own answer, before any smoothing."""
        figures = (*statistics(pixels), prediction.plain.probability)
        bins = [bisect.bisect_left(h.edges, figure) for h, figure in zip(self._histograms, figures, strict=True)]
        bins.append(self._labels.places[prediction.index])
        with self._lock:
            row = self.seen % self._window
            if self.seen >= self._window:
                for counts, place in zip(self._counts, self._bins[row], strict=True):
                    counts[place] -= 1
            for counts, place in zip(self._counts, bins, strict=True):
                counts[place] += 1
            self._bins[row], self._figures[row] = bins, figures
            self.seen += 1

    @property
    def images(self) -> int:
        """Pictures in the window."""
        return min(self.seen, self._window)

    def indices(self) -> dict[str, float]:
        """The population stability index of each statistic; of none before there is a picture."""
        with self._lock:
            return {name: float(index.sum()) for name, index in self._by_bin().items()} if self.seen else {}

    def findings(self) -> list[Finding]:
        """What has changed, by more than chance explains; nothing before there are as many pictures as it needs.

        A finding stays until its index is below a lower limit, `edgecnn.stability.ending_index`.
        """
        with self._lock:
            indices = self._by_bin() if self.seen else {}
            findings = [
                self._finding(name, index, limit)
                for name, index in indices.items()
                if self.images >= self.needs[name] and index.sum() > (limit := self._limit(name))
            ]
            self._changed = {finding.statistic for finding in findings}
            return findings

    def _limit(self, name: str) -> float:
        """The index that a statistic exceeds where it has changed."""
        limit = ending_index if name in self._changed else critical_index
        return limit(len(self._expected[name]), self._reference.images, self.images)

    def _by_bin(self) -> dict[str, npt.NDArray[np.floating[Any]]]:
        return {
            name: stability_index(shares, self._reference.images, counts)
            for (name, shares), counts in zip(self._expected.items(), self._counts, strict=True)
        }

    def _finding(self, name: str, index: npt.NDArray[np.floating[Any]], limit: float) -> Finding:
        words = self._label_words(int(index.argmax())) if name == "labels" else self._words(STATISTICS.index(name))
        total = float(index.sum())
        return Finding(_KINDS[name], name, round(total, 4), round(limit, 4), self.images, words)

    def _words(self, column: int) -> str:
        now, before = self._figures[: self.images, column].mean(), self._histograms[column].mean
        digits = 3 if STATISTICS[column] == "probability" else 1
        return f"{STATISTICS[column]} {now:.{digits}f}, {before:.{digits}f} in validation"

    def _label_words(self, place: int) -> str:
        counts, frequent = self._counts[-1], self._labels.frequent
        label = repr(self._manifest.labels[frequent[place]]) if place < len(frequent) else "rare labels"
        now, before = counts[place] / self.images, self._labels.shares[place]
        return f"{label} in {now:.1%} of the answers, {before:.1%} in validation"


def drift_of(manifest: Manifest, window: int = WINDOW) -> Drift | None:
    """The comparison with validation; None if the model has no reference, or the window is 0."""
    reference = manifest.reference
    return Drift(manifest, reference, window) if reference and window else None
