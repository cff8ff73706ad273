"""What a quantization-aware training came to."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """How the rounded network answers, beside its float parent; the test split only reports."""

    seed: int
    epochs: int
    seconds: float
    float_accuracy: dict[str, float]  # of the parent, by split
    before: dict[str, float]  # rounded, with calibrated ranges, before the training
    accuracy: dict[str, float]  # rounded, after it
    images: int  # of the test split
    lost: int  # of them the parent was right, this one is wrong
    gained: int  # the other way round
    bits: dict[str, int]  # of each layer's weights; empty where all have 8
    output: str
