"""How much int8 hurts each layer: its output beside that of the float parent."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.formats import onnx, tflite
from convert.parent import Parent
from edgecnn.command import quiet
from edgecnn.interpreters import TensorSpec
from edgecnn.pixels import dequantize

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Noise:
    """What int8 does to the output of one layer, over some images."""

    layer: str
    own_db: float  # SQNR of rounding this tensor alone, mean over the channels: what the layer itself does
    sqnr_db: float  # the same mean, with all that came from the layers before
    cosine: float
    low: float  # share of stored values at the least value of the dtype: of a ReLU, its zeros
    high: float  # ... at the largest: clipped
    scale: float
    zero_point: int


def layer_noise(parent: Parent, model: bytes, kind: str, images: npt.NDArray[np.uint8]) -> list[Noise]:
    """Compare an int8 model with its float parent layer by layer, in the order of the graph.

    Args:
        parent: the float parent.
        model: the bytes of the `.tflite` or `.onnx`.
        kind: tflite or onnx.
        images: raw pixels, uint8, (n, height, width, channels).
    """
    with quiet():
        outputs = (tflite if kind == "tflite" else onnx).layer_outputs(parent, model, images)
        found = [_measured(*each) for each in outputs]
    return found


def worst_first(found: Sequence[Noise]) -> list[Noise]:
    """Sorted by the noise that each layer adds itself: what it only hands on is not its fault."""
    return sorted(found, key=lambda noise: noise.own_db)


def candidates(found: Sequence[Noise]) -> list[str]:
    """Layers to keep in float, in the order to try: the worst, each with the layer that reads it next."""
    order = [noise.layer for noise in found]
    following = dict(pairwise(order))
    ranking = [name for noise in worst_first(found) for name in (noise.layer, following.get(noise.layer)) if name]
    return list(dict.fromkeys(ranking))


def _measured(layer: str, exact: Array, stored: Array, tensor: TensorSpec, axis: int) -> Noise:
    """Sums over images and places of a layer's output, float and stored; channels along `axis`."""
    exact, stored = (np.moveaxis(each, axis, -1).reshape(-1, each.shape[axis]) for each in (exact, stored))
    bounds = np.iinfo(tensor.dtype)
    given = dequantize(stored, tensor)
    rounded = np.rint(exact / tensor.scale) + tensor.zero_point
    alone = dequantize(rounded.clip(bounds.min, bounds.max), tensor)
    lengths = float(np.linalg.norm(exact) * np.linalg.norm(given))
    return Noise(
        layer,
        channel_sqnr(exact, alone),
        channel_sqnr(exact, given),
        float((exact * given).sum()) / lengths if lengths else 0.0,
        float((stored == bounds.min).mean()),
        float((stored == bounds.max).mean()),
        tensor.scale,
        tensor.zero_point,
    )


def channel_sqnr(exact: Array, given: Array) -> float:
    """The mean of the channels' ratios in dB, of those that give anything; (n, channels). 0 where none does."""
    power, noise = (exact**2).sum(axis=0), ((exact - given) ** 2).sum(axis=0)
    heard = power > 0
    return float(sqnr(power[heard], noise[heard]).mean()) if heard.any() else 0.0


def sqnr(power: Array, noise: Array) -> Array:
    """Signal to quantization noise ratio in dB: 10 log10(sum f^2 / sum (f - q)^2); 100 where there is no noise."""
    ratio: Array = 10 * np.log10(np.maximum(power, 1e-30) / np.maximum(noise, power * 1e-10 + 1e-30))
    return ratio
