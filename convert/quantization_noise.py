"""How much quantization changes the output of each layer, against the float parent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.contents import LayerOutput
from convert.formats import FORMATS
from convert.parent import Parent
from convert.variant import PIXELS
from edgecnn.command import quiet
from edgecnn.modelfile import ModelFile
from edgecnn.pixels import dequantize
from workstation.layer_names import layer_names

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Noise:
    """The quantization noise in the output of one layer, over some images."""

    layer: str
    own_db: float  # SQNR of rounding this tensor alone, mean over the channels: the noise that the layer itself adds
    sqnr_db: float  # the same mean, with the noise of all layers before
    cosine: float
    low: float  # share of stored values at the least value of the dtype: of a ReLU, its zeros
    high: float  # ... at the largest: clipped
    scale: float
    zero_point: int


def layer_noise(parent: Parent, model: bytes, model_format: str, images: npt.NDArray[np.uint8]) -> list[Noise]:
    """Compare an integer model with its float parent layer by layer, in the order of the graph.

    Args:
        parent: the float parent.
        model: the bytes of the `.tflite` or `.onnx`.
        model_format: tflite or onnx.
        images: raw pixels, uint8, (n, height, width, channels).
    """
    with quiet():
        return [measure(output) for output in FORMATS[model_format].layer_outputs(parent, model, images)]


def named_noise(parent: Parent, model: ModelFile, images: int) -> list[Noise]:
    """The noise of the layers that the user named, over so many validation images.

    Args:
        parent: the float parent.
        model: an integer conversion of it.
        images: how many.
    """
    names = layer_names(parent.model)
    rewrites = [name for name in model.manifest.rewrites if name != PIXELS]
    if rewrites:
        from convert.rewrites import rewritten  # it loads TensorFlow

        parent = replace(parent, model=rewritten(parent.model, rewrites)[0])
    noise = layer_noise(parent, model.data, model.manifest.format, parent.validation.sample(images).images)
    return [layer for layer in noise if layer.layer in names]


def worst_first(layers: Sequence[Noise]) -> list[Noise]:
    """Sorted by the noise that each layer adds itself, not by the noise of the layers before it."""
    return sorted(layers, key=lambda noise: noise.own_db)


def candidates(layers: Sequence[Noise]) -> list[str]:
    """Layers to keep in float, in the order to try: the worst first, each with the layer that reads it."""
    order = [noise.layer for noise in layers]
    reader = dict(pairwise(order))
    ranking = [name for noise in worst_first(layers) for name in (noise.layer, reader.get(noise.layer)) if name]
    return list(dict.fromkeys(ranking))


def measure(output: LayerOutput) -> Noise:
    """Measure a layer's noise over all images and places."""
    tensor, channels = output.tensor, output.exact.shape[output.channels]
    exact, stored = (
        np.moveaxis(values, output.channels, -1).reshape(-1, channels) for values in (output.exact, output.stored)
    )
    bounds = np.iinfo(tensor.dtype)
    quantized = dequantize(stored, tensor)
    rounded = np.rint(exact / tensor.scale) + tensor.zero_point
    rounded_alone = dequantize(rounded.clip(bounds.min, bounds.max), tensor)
    lengths = float(np.linalg.norm(exact) * np.linalg.norm(quantized))
    return Noise(
        output.layer,
        channel_sqnr(exact, rounded_alone),
        channel_sqnr(exact, quantized),
        float((exact * quantized).sum()) / lengths if lengths else 0.0,
        float((stored == bounds.min).mean()),
        float((stored == bounds.max).mean()),
        tensor.scale,
        tensor.zero_point,
    )


def channel_sqnr(exact: Array, quantized: Array) -> float:
    """The mean of the channels' SQNR in dB, over the channels that are not all zero; 0 where all are.

    Both are of shape (n, channels).
    """
    power, noise = (exact**2).sum(axis=0), ((exact - quantized) ** 2).sum(axis=0)
    active = power > 0
    return float(sqnr(power[active], noise[active]).mean()) if active.any() else 0.0


def sqnr(power: Array, noise: Array) -> Array:
    """Signal to quantization noise ratio in dB: 10 log10(sum f^2 / sum (f - q)^2); 100 where there is no noise."""
    ratio: Array = 10 * np.log10(np.maximum(power, 1e-30) / np.maximum(noise, power * 1e-10 + 1e-30))
    return ratio
