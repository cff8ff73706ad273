"""What the file of a format (convert/formats) says of a converted model."""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from edgecnn.interpreters import TensorSpec


@dataclass(frozen=True)
class Contents:
    """How large a model is, and how much of it computes on integers."""

    operators: int
    parameters: int
    integer_share: float  # share of the operators that compute on int8 or int16
    opset: int | None = None  # of ONNX


@dataclass(frozen=True)
class LayerOutput:
    """The output of one Keras layer over some images, in a quantized model and in its float parent."""

    layer: str
    exact: npt.NDArray[Any]  # the float parent's, float32, (n, ...)
    stored: npt.NDArray[Any]  # the quantized model's integers, of the same shape
    tensor: TensorSpec  # how these integers are quantized
    channels: int  # the axis of channels
