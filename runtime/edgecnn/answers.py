"""The meaning of a model's output: probabilities of its labels, and the answer that follows from them.

A manifest names one of four kinds of output:

- `probabilities` sum to 1, and `logits` become so by a softmax: an image shows one of the labels.
- `sigmoid` is one value, the probability of the second of two labels.
- `sigmoids` are one probability per label: an image may show several of them, or none (multi-label).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

THRESHOLD = 0.5  # an image shows the labels above it. Source: keras.metrics.BinaryAccuracy

Floats = npt.NDArray[np.float32]


def columns(output: str, labels: int) -> int:
    """The number of output values per image."""
    return 1 if output == "sigmoid" else labels


def softmax(logits: Floats) -> Floats:
    """Probabilities along the last axis, float32, from logits."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def as_probabilities(values: Floats, output: str) -> Floats:
    """Probabilities of all labels, (..., labels), from the output's values, (..., columns)."""
    if output == "sigmoid":
        return np.concatenate([1 - values, values], axis=-1)
    return softmax(values) if output == "logits" else values


def at_temperature(probabilities: Floats, temperature: float, floor: float) -> Floats:
    """Probabilities, (..., labels), as a softmax gives them whose logits are divided by the temperature.

    The order of the labels stays. A quantized softmax stores probabilities below half its step as 0, whose logarithm
    is none: they count as `floor`.

    Source: C. Guo, G. Pleiss, Y. Sun, K. Weinberger (2017), "On Calibration of Modern Neural Networks", 4.2; the
    logarithms of the probabilities are the logits, but for a constant.
    """
    return softmax(np.log(np.maximum(probabilities, floor)) / np.float32(temperature))


def decided(probabilities: Floats, multi_label: bool) -> npt.NDArray[Any]:
    """The answers that follow from probabilities, (n, labels).

    Returns:
        (n,), the label of each image; of a multi-label model (n, labels), 1 where the image shows the label, else 0.
    """
    answers: npt.NDArray[Any]
    answers = (probabilities > THRESHOLD).astype(np.int64) if multi_label else probabilities.argmax(axis=1)
    return answers


def changed_answers(before: Floats, after: Floats, multi_label: bool) -> int:
    """The number of images whose answer differs; both probabilities are (n, labels)."""
    differs = decided(before, multi_label) != decided(after, multi_label)
    return int(differs.reshape(len(differs), -1).any(axis=1).sum())
