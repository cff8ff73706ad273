"""At how many places of its output a layer is computed: a pooling without padding does not read all of its input.

A window of p with strides s reads (o - 1) s + p of n rows for o rows of its output. `python -m convert.c` computes no
more than that, and this is how multiply-accumulates are counted.
"""

from math import prod
from typing import Any

_HANDED_ON = frozenset(  # each output value depends on the input at the same place
    ("Activation", "BatchNormalization", "Dropout", "ReLU", "LeakyReLU", "PReLU", "Add", "Multiply", "Concatenate")
)
Size = tuple[int, ...]


def positions_read(model: Any) -> dict[str, int]:
    """For each layer of a functional model: the places of its output that some layer reads, or the network's output."""
    sizes: dict[int, Size] = {id(tensor): tensor.shape[1:-1] for tensor in model.outputs}
    positions: dict[str, int] = {}
    for depth in sorted(model._nodes_by_depth):
        for node in model._nodes_by_depth[depth]:
            (output, *_) = node.outputs
            size = sizes.get(id(output), output.shape[1:-1])
            for tensor in node.input_tensors:
                read = _size_read(node.operation, size, output.shape[1:-1], tensor.shape[1:-1])
                sizes[id(tensor)] = tuple(map(max, sizes.get(id(tensor), (0,) * len(read)), read))
            positions[node.operation.name] = positions.get(node.operation.name, 0) + prod(size)
    return positions


def _size_read(layer: Any, size: Size, whole: Size, before: Size) -> Size:
    """How much of its input, by axis, a layer reads for this part of its output."""
    if type(layer).__name__ in _HANDED_ON and whole == before:
        return size
    window = getattr(layer, "pool_size", None) or getattr(layer, "kernel_size", None)
    if window is None or layer.padding != "valid":
        return before
    dilation = getattr(layer, "dilation_rate", (1,) * len(window))
    sides = zip(size, layer.strides, window, dilation, strict=True)
    return tuple((n - 1) * stride + (side - 1) * apart + 1 for n, stride, side, apart in sides)
