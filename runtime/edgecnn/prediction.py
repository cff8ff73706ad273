"""`Prediction`: the answer of a model to one image."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.answers import THRESHOLD, as_probabilities
from edgecnn.interpreters import TensorSpec
from edgecnn.manifest import Manifest
from edgecnn.pixels import dequantize


@dataclass(frozen=True)
class Output:
    """How to read the output of a model."""

    tensor: TensorSpec
    manifest: Manifest


class Prediction:
    """The answer of a model to one image; it computes probabilities when they are read.

    Attributes:
        index: of the most probable label, among the manifest's labels.
    """

    __slots__ = ("_output", "_stored", "index")

    def __init__(self, index: int, stored: bytes, output: Output) -> None:
        self.index, self._stored, self._output = index, stored, output

    @property
    def label(self) -> str:
        """The most probable label."""
        return self._output.manifest.labels[self.index]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the image shows: `label`; of a multi-label model all above 0.5, or none."""
        return tuple(self.above(THRESHOLD)) if self._output.manifest.multi_label else (self.label,)

    def above(self, threshold: float) -> dict[str, float]:
        """The probabilities above the threshold, by label."""
        pairs = zip(self._output.manifest.labels, self.probabilities.tolist(), strict=True)
        return {label: probability for label, probability in pairs if probability > threshold}

    @property
    def probability(self) -> float:
        """Of the label, 0 to 1."""
        return float(self.probabilities[self.index])

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """Of all labels, float32, (labels,)."""
        tensor, manifest = self._output.tensor, self._output.manifest
        return as_probabilities(dequantize(np.frombuffer(self._stored, tensor.dtype), tensor), manifest.output)

    def document(self, threshold: float = THRESHOLD) -> dict[str, Any]:
        """For JSON: the label and its probability; of a multi-label model also the labels above the threshold."""
        document = {"label": self.label, "probability": round(self.probability, 6)}
        if not self._output.manifest.multi_label:
            return document
        return document | {"labels": {label: round(value, 6) for label, value in self.above(threshold).items()}}

    def __repr__(self) -> str:
        return f"Prediction(label={self.label!r}, index={self.index}, probability={self.probability:.6f})"
