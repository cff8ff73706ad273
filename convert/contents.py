"""What is in a converted model: operators, parameters, and how much of it is int8."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Contents:
    """What is in a model."""

    operators: int
    parameters: int
    integer_share: float  # share of the operators that compute on int8 or int16
    opset: int | None = None  # of ONNX
