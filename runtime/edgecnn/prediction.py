"""`Prediction`: the answer of a model to one image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.answers import THRESHOLD, as_probabilities, at_temperature
from edgecnn.errors import EdgecnnError
from edgecnn.interpreters import Array, TensorSpec
from edgecnn.manifest import Manifest
from edgecnn.pixels import dequantize

UNKNOWN = "unknown"  # instead of a label
_NEVER = 2.0  # a threshold that no probability reaches
TOP = 3  # labels in a document, the most probable ones


@dataclass(frozen=True)
class Output:
    """How to read the output of a model."""

    tensor: TensorSpec
    manifest: Manifest
    threshold: float  # less probable answers are `unknown`

    def read(self, output: Array) -> "Prediction":
        """The prediction of an image from its output, (labels,) as stored.

        Raises:
            EdgecnnError: it is not a number.
        """
        largest = int(output.argmax())  # of a quantized output too: storing keeps the order
        if output[largest] != output[largest]:  # argmax stops at a NaN
            raise EdgecnnError("the model's answer is not a number (NaN): its weights are damaged; convert it again")
        if self.manifest.output == "sigmoid":  # one unit
            largest = int(dequantize(output, self.tensor)[0] > THRESHOLD)
        return Prediction(largest, output.tobytes(), self)

    @property
    def unseen(self) -> "Prediction":
        """The prediction for a picture that shows nothing: `unknown`, and no label is probable."""
        stored = np.full(self.tensor.shape[1:], self.tensor.zero_point, self.tensor.dtype)
        return Prediction(0, stored.tobytes(), replace(self, threshold=_NEVER))


class Prediction:
    """The answer of a model to one image; it computes probabilities when they are first read.

    Attributes:
        index: of the most probable label, among the manifest's labels; also of an image that is `unknown`.
    """

    __slots__ = ("_output", "_plain", "_probabilities", "_stored", "index")

    def __init__(self, index: int, stored: bytes, output: Output) -> None:
        self.index, self._stored, self._output = index, stored, output
        self._probabilities: npt.NDArray[np.float32] | None = None
        self._plain: Prediction | None = None

    @classmethod
    def mean(cls, predictions: "Sequence[Prediction]") -> "Prediction":
        """The prediction of a model for several views of one image: the mean of their probabilities."""
        output = predictions[0]._output
        manifest = output.manifest if output.manifest.multi_label else replace(output.manifest, output="probabilities")
        shares = np.mean([prediction.raw_probabilities for prediction in predictions], axis=0, dtype=np.float32)
        tensor = TensorSpec((1, len(shares)), shares.dtype)
        mean = cls(int(shares.argmax()), shares.tobytes(), Output(tensor, manifest, output.threshold))
        mean._plain = predictions[0].plain
        return mean

    @property
    def plain(self) -> "Prediction":
        """The answer to the image itself, if this is the mean over several views of it."""
        return self._plain or self

    @property
    def label(self) -> str:
        """The most probable label; `unknown` if its probability is below the classifier's threshold."""
        return self._output.manifest.labels[self.index] if self.is_known else UNKNOWN

    @property
    def is_known(self) -> bool:
        """Whether the most probable label reaches the classifier's threshold."""
        return not self._output.threshold or self.probability >= self._output.threshold

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that the image shows: `label`, none if it is unknown; of a multi-label model all above 0.5."""
        if self._output.manifest.multi_label:
            return tuple(self.shown())
        return (self.label,) if self.is_known else ()

    def shown(self) -> dict[str, float]:
        """Of a multi-label model: the probabilities above the classifier's threshold (default 0.5), by label."""
        pairs = zip(self._output.manifest.labels, self.probabilities.tolist(), strict=True)
        least = self._output.threshold or THRESHOLD
        return {label: probability for label, probability in pairs if probability > least}

    @property
    def probability(self) -> float:
        """Of the most probable label, 0 to 1."""
        return float(self.probabilities[self.index])

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """Of all labels, float32, (labels,), at the manifest's temperature; read-only."""
        if self._probabilities is None:
            rejection, raw = self._output.manifest.rejection, self.raw_probabilities
            shares = at_temperature(raw, rejection.temperature, rejection.floor) if rejection else raw
            shares.flags.writeable = False
            self._probabilities = shares
        return self._probabilities

    @property
    def raw_probabilities(self) -> npt.NDArray[np.float32]:
        """Of all labels, float32, (labels,), as the network gives them."""
        tensor, manifest = self._output.tensor, self._output.manifest
        return as_probabilities(dequantize(np.frombuffer(self._stored, tensor.dtype), tensor), manifest.output)

    def top(self, count: int = TOP) -> dict[str, float]:
        """The most probable labels, the first before the second, with their probabilities."""
        shares, labels = self.probabilities, self._output.manifest.labels
        return {labels[place]: float(shares[place]) for place in np.argsort(-shares, kind="stable")[:count].tolist()}

    def document(self) -> dict[str, Any]:
        """For JSON: the label, its probability, the most probable labels; of a multi-label model the labels shown."""
        document = {"label": self.label, "probability": _rounded(self.probability), "unknown": not self.is_known}
        if self._output.manifest.multi_label:
            document["labels"] = {label: _rounded(share) for label, share in self.shown().items()}
        return document | {"top": {label: _rounded(share) for label, share in self.top().items()}}

    def __repr__(self) -> str:
        return f"Prediction(label={self.label!r}, index={self.index}, probability={self.probability:.6f})"


def _rounded(probability: float) -> float:
    return round(probability, 6)
