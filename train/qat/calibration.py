"""The ranges that a training starts from: calibrated on images, then clipped where that answers better.

The least and the largest value of a tensor are its range, as TFLite calibrates it. A few loud values can make it so
wide that all others share a few steps: so of each range, in the order of the graph, smaller ones are tried that leave
out the largest values, and the one stays whose answers are nearest to the parent's.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edgecnn.dataset import sampled
from edgecnn.errors import EdgecnnError
from train.qat.graph import Graph
from train.qat.student import Weights
from workstation.tflite_ranges import Range

_KEPT = (0.9999, 0.999, 0.99, 0.97, 0.9)  # shares of the values, but for zeros, that a clipped range holds
_BATCH, _IMAGES = 64, 128  # images at a time; images that choose
_GAIN = 0.98  # a clipped range must be better by so much: the chance of few images

Images = npt.NDArray[np.float32]


def calibrated_ranges(
    graph: Graph, weights: Weights, images: Images, sizes: Weights = (), clips: bool = True
) -> list[Range]:
    """The ranges of the graph's activations, in their order.

    Args:
        graph: of the parent.
        weights: of the graph's variables.
        images: inputs of the model for calibration, (n, height, width, channels).
        sizes: of the weights of 4 bits, of each variable's output channels.
        clips: whether smaller ranges are tried.

    Raises:
        EdgecnnError: a tensor holds NaN, or nothing but zeros.
    """
    tensors = [rounded.tensor for rounded in graph.activations]
    largest, quantiles = _statistics(graph, weights, images)
    fixed = {tensor.group: tensor.range for tensor in tensors if tensor.is_fixed}
    ranges = {group: fixed.get(group, ends) for group, ends in largest.items()}
    for tensor in tensors:
        low, high = ranges[tensor.group]
        if not np.isfinite([low, high]).all() or low == high:
            raise EdgecnnError(f"the values of {tensor.name[:80]} are all alike or NaN: the model was trained badly")
    answers = _Answers(graph, weights, sizes, images[sampled(len(images), _IMAGES)])
    nearest = answers.distance(ranges)
    movable = [group for group in ranges if group not in graph.still and clips]
    for group in tqdm(movable, "trying ranges", unit="range", disable=None, leave=False):
        for size in quantiles[group]:
            low, high = largest[group]
            clipped = {**ranges, group: (max(low, -size), min(high, size))}
            distance = answers.distance(clipped)
            if distance < _GAIN * nearest:
                ranges, nearest = clipped, distance
    return [ranges[tensor.group] for tensor in tensors]


def _statistics(graph: Graph, weights: Weights, images: Images) -> tuple[dict[int, Range], dict[int, list[float]]]:
    """By group: the least and the largest value; sizes that few values exceed."""
    function = graph.function([rounded.node for rounded in graph.activations], quantizes=False)
    ranges: dict[int, Range] = {}
    sizes: dict[int, npt.NDArray[Any]] = {}
    for start in range(0, len(images), _BATCH):
        for rounded, tensor in zip(graph.activations, function(images[start : start + _BATCH], *weights), strict=True):
            values, group = tensor.numpy(), rounded.tensor.group
            low, high = ranges.get(group, (0.0, 0.0))
            ranges[group] = min(low, float(values.min())), max(high, float(values.max()))
            if start == 0:
                absolute = np.abs(values[values != 0])
                known = np.quantile(absolute, _KEPT) if absolute.size else np.full(len(_KEPT), 1.0)
                sizes[group] = np.maximum(sizes.get(group, 0.0), known)
    return ranges, {group: list(map(float, known)) for group, known in sizes.items()}


class _Answers:
    """The rounded graph's answers beside the parent's."""

    def __init__(self, graph: Graph, weights: Weights, sizes: Weights, images: Images) -> None:
        self.groups = [rounded.tensor.group for rounded in graph.activations]
        self.rounded = graph.function([graph.last], rounds_output=False)
        self.images, self.weights, self.sizes = images, weights, sizes
        self.exact = graph.function([graph.last], quantizes=False)(images, *weights)[0].numpy()

    def distance(self, ranges: dict[int, Range]) -> float:
        """The mean square of the difference of the answers."""
        ends = [np.float32(end) for group in self.groups for end in ranges[group]]
        answers = self.rounded(self.images, *self.weights, *ends, *self.sizes)[0].numpy()
        return float(((answers - self.exact) ** 2).mean())
