"""What a manifest keeps of validation images and of a converted model's answers to them."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgecnn.manifest import Manifest, Rejection
from edgecnn.reference import reference_of
from workstation.rejection import at_temperature_of


def with_statistics(
    manifest: Manifest,
    rejection: Rejection | None,
    images: npt.NDArray[np.uint8],
    probabilities: npt.NDArray[np.float32],
) -> Manifest:
    """A manifest with a threshold, and with the reference of answers at its temperature; none if one is not finite.

    Args:
        manifest: the model's.
        rejection: temperature and threshold, or None.
        images: of validation, uint8, (n, height, width, channels).
        probabilities: of the model, as it gives them, (n, labels).
    """
    answers = at_temperature_of(rejection, probabilities)
    reference = reference_of(images, answers) if np.isfinite(answers).all() else None
    return replace(manifest, rejection=rejection, reference=reference)
