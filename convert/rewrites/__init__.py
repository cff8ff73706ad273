"""Exact rewrites of a Keras model: other layers, the same outputs, less work for the engines' kernels.

crop     the input of a pooling's layers is cropped to what the pooling reads
patches  a convolution with few input channels and the pooling behind it become one convolution over patches ...
blocks   ... or over blocks of pixels, by space-to-depth

Each is found by pattern, wherever a convolution leads to a pooling through layers that no other layer reads. To add
one, write its function, which returns the model and what it changed, and its row here.
"""

from collections.abc import Callable, Sequence

import keras

from convert.rewrites.crop import crop
from convert.rewrites.fold import blocks, patches

REWRITES: dict[str, Callable[[keras.Model], tuple[keras.Model, list[str]]]] = {
    "crop": crop,
    "patches": patches,
    "blocks": blocks,
}


def rewritten(model: keras.Model, names: Sequence[str]) -> tuple[keras.Model | None, list[str]]:
    """A model after several rewrites of `REWRITES`, and what they changed, in words; None where one does not apply."""
    changes: list[str] = []
    for name in names:
        model, found = REWRITES[name](model)
        if not found:
            return None, []
        changes += [f"{name}: {change}" for change in found]
    return model, changes
