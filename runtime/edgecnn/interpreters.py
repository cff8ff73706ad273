"""What every engine offers: `input`, `output`, `feed()`, `invoke()`, `result()`; and checks that engines share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgecnn import bounds
from edgecnn.errors import EdgecnnError

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TensorSpec:
    """The input or the output of a model. A real value is (stored - zero_point) * scale if the dtype is integer."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 1.0
    zero_point: int = 0


class Engine(Protocol):
    """A loaded model. Write the input into `feed()`, call `invoke()`, read `result()` before the next call."""

    input: TensorSpec
    output: TensorSpec

    def feed(self) -> Array:
        """The array to write the input into; do not keep it across `invoke()`."""

    def invoke(self) -> None:
        """Run the model once."""

    def result(self) -> Array:
        """The output; the next `invoke()` overwrites it."""


class PixelEngine(Engine, Protocol):
    """An engine that turns raw pixels into its input, and its output into an index, by itself: that is faster."""

    def classify(self, pixels: bytes) -> tuple[int, bytes]:
        """Classify an image.

        Args:
            pixels: uint8, height x width x channels.

        Returns:
            The index of the largest output, and the output as stored.
        """


def invoke(engine: Engine) -> None:
    """Run an engine once.

    Raises:
        EdgecnnError: it failed; engines raise whatever they like.
    """
    try:
        engine.invoke()
    except Exception as error:
        reason = bounds.short(str(error), 300)
        raise EdgecnnError(f"the engine cannot run the model ({reason}): convert it again") from None


def check_image_size(sides: Sequence[Any]) -> None:
    """Check that a model fixes the size of its image: choosing it is not up to edgecnn.

    Args:
        sides: the shape of the input behind the batch; an open side is no integer.

    Raises:
        EdgecnnError: a side is open.
    """
    if not all(isinstance(side, int) for side in sides):
        shown = ", ".join(str(side) if isinstance(side, int) else "?" for side in sides)
        raise EdgecnnError(
            f"the model leaves open how large its input is (batch, {shown}): export it with a fixed size"
        )


def sole_ends(inputs: Sequence[Any], outputs: Sequence[Any]) -> tuple[Any, Any]:
    """The one input and the one output of a classifier.

    Raises:
        EdgecnnError: the model has more, or none.
    """
    if len(inputs) != 1 or len(outputs) != 1:
        ends = f"{len(inputs)} inputs and {len(outputs)} outputs"
        raise EdgecnnError(f"the model has {ends}; a classifier has one of each")
    return inputs[0], outputs[0]
