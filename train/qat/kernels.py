"""Weights of 4 bits: which layers have them, and by what size each output channel is rounded.

Convolutions and dense layers can have them. The first and the last layer with weights stay at 8 bits unless all are
wanted, since they cost accuracy and hold little. A depthwise convolution stays at 8 always: it has few weights, and few
of them make a sum, so that errors do not cancel out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from workstation.layer_names import layer_of
from workstation.quantization_aware import FEW_STEPS

LEAST_SIZE = 1e-9  # of a channel's weights: a channel of zeros has one too
_WEIGHTED = ("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "MatMul")  # the second input: weights
_SHARES = np.linspace(1, 0.3, 29, dtype=np.float32)  # of the largest weight: sizes that are tried

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Kernel:
    """A node that reads weights."""

    node: str
    weights: str  # the node that writes them
    constant: str  # the constant that they are, perhaps handed on by identities
    can_be_coarse: bool  # a convolution or a dense layer whose last axis is that of the output channels


def source_of(name: str) -> str:
    """The node that an input names."""
    return name.lstrip("^").split(":")[0]


def kernels_of(definition: Any, computed: Collection[str]) -> list[Kernel]:
    """The nodes that read weights, in the order of the graph.

    Args:
        definition: of the graph.
        computed: names of nodes that depend on the image.
    """
    nodes = {node.name: node for node in definition.node}
    return [
        Kernel(
            node.name,
            source_of(node.input[1]),
            _behind_identities(nodes, source_of(node.input[1])),
            node.op == "Conv2D" or (node.op == "MatMul" and not node.attr["transpose_b"].b),
        )
        for node in definition.node
        if node.op in _WEIGHTED and source_of(node.input[1]) not in computed
    ]


def _behind_identities(nodes: Mapping[str, Any], name: str) -> str:
    while nodes[name].op == "Identity":
        name = source_of(nodes[name].input[0])
    return name


def coarse_variables(kernels: Sequence[Kernel], variables: Collection[str], everything: bool) -> list[str]:
    """The variables whose weights have 4 bits; one that another layer reads at 8 bits has 8.

    Args:
        kernels: in the order of the graph.
        variables: names of constants that are trained.
        everything: whether the first and the last layer are wanted too.
    """
    wanted = kernels if everything else kernels[1:-1]
    chosen = [kernel for kernel in wanted if kernel.can_be_coarse and kernel.constant in variables]
    others = {kernel.constant for kernel in kernels if kernel not in chosen}
    return list(dict.fromkeys(kernel.constant for kernel in chosen if kernel.constant not in others))


def bits_of_layers(kernels: Sequence[Kernel], coarse: Collection[str]) -> dict[str, int]:
    """The bits of the weights of each layer, by its name in Keras."""
    return {layer_of(kernel.node) or kernel.node: 4 if kernel.constant in coarse else 8 for kernel in kernels}


def fitted_sizes(weights: Floats) -> Floats:
    """The size of each output channel, the last axis, whose rounding moves the weights least, by the mean square.

    Weights beyond it are clipped: a little is lost of a few large ones, and much is gained of all others.
    """
    flat = weights.reshape(-1, weights.shape[-1])
    tried = _SHARES[:, np.newaxis] * np.maximum(np.abs(flat).max(axis=0), np.float32(LEAST_SIZE))
    errors = [((on_grid(flat, sizes) - flat) ** 2).sum(axis=0) for sizes in tried]
    best: Floats = np.take_along_axis(tried, np.argmin(errors, axis=0)[np.newaxis], axis=0)[0]
    return best


def on_grid(weights: Floats, sizes: Floats) -> Floats:
    """Weights rounded to 4 bits, with sizes of the output channels, the last axis: steps of a seventh of the size."""
    step = sizes / np.float32(FEW_STEPS)
    rounded: Floats = np.clip(np.rint(weights / step), -FEW_STEPS, FEW_STEPS).astype(np.float32) * step
    return rounded
