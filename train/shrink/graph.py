"""Which channels of a network belong together: those of residual sums, of depthwise convolutions, behind a flatten.

Every channel of every tensor has a number. A layer that mixes channels (`Conv2D`, `Dense`) writes new ones; all others
hand the numbers on, and an addition declares that two numbers are one. The numbers that are one are a unit: it is kept
in all layers or removed from all. A family holds the units that the same layers write, one as good as another.
"""

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from train.flat_model import flattened, nodes_of
from train.positions import positions_read
from train.shrink.rules import RULES, Kernel
from train.shrink.tying import Tying

Units = npt.NDArray[np.intp]  # a unit for each channel
Kept = npt.NDArray[np.bool_]  # (units,)


@dataclass(frozen=True)
class Product:
    """A kernel: what its weights cost."""

    layer: str
    window: int  # weights for a pair of channels; of a depthwise convolution for a channel
    positions: int  # of the output, where it is computed
    read: Units | None  # None: every output channel reads one input channel
    written: Units
    others: float  # more parameters, for an output channel

    def weights(self, kept: Kept) -> int:
        """How many weights the kernel has with the units that are kept."""
        inputs = 1 if self.read is None else int(np.count_nonzero(kept[self.read]))
        return self.window * inputs * int(np.count_nonzero(kept[self.written]))


@dataclass(frozen=True)
class Graph:
    """A network whose channels have units."""

    model: keras.Model  # functional, without models inside
    read: dict[str, Units]  # by layer: of its input, where that is one tensor
    written: dict[str, Units]  # by layer: of its output
    products: tuple[Product, ...]
    fixed: Kept  # the units of the image and of the classes

    @cached_property
    def families(self) -> tuple[Units, ...]:
        """The units that may go, by the layers that write them."""
        writers: dict[int, set[str]] = defaultdict(set)
        for product in self.products:
            for unit in product.written if product.read is not None else ():
                writers[int(unit)].add(product.layer)
        families: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for unit, names in sorted(writers.items()):
            if not self.fixed[unit]:
                families[tuple(sorted(names))].append(unit)
        return tuple(np.array(units, np.intp) for units in families.values())

    @property
    def all(self) -> Kept:
        """All units."""
        return np.ones(len(self.fixed), np.bool_)

    def macs(self, kept: Kept) -> int:
        """Multiply-accumulates of an image, as `convert.c` computes them."""
        return sum(int(product.positions) * product.weights(kept) for product in self.products)

    def parameters(self, kept: Kept) -> int:
        """Parameters with the units that are kept."""
        return sum(p.weights(kept) + round(p.others * np.count_nonzero(kept[p.written])) for p in self.products)


def graph_of(model: keras.Model) -> Graph:
    """Number the channels of a network.

    Args:
        model: a Keras classifier of one image, built; Sequential or functional, models inside it too.

    Raises:
        EdgecnnError: it has a layer that cannot be pruned; the line names it.
    """
    flat = flattened(model)
    tying = Tying()
    read, written = _numbered(flat, tying)
    unit = tying.units()
    fixed = np.zeros(unit.max() + 1, np.bool_)
    ends = [tying.channels[id(tensor)] for tensor in (*flat.inputs, *flat.outputs)]
    fixed[unit[np.concatenate(ends)]] = True
    read, written = ({name: unit[numbers] for name, numbers in part.items()} for part in (read, written))
    return Graph(flat, read, written, _products(flat, read, written), fixed)


def _numbered(model: keras.Model, tying: Tying) -> tuple[dict[str, Units], dict[str, Units]]:
    read, written = {}, {}
    for node in nodes_of(model):
        operation, inputs = node.operation, list(node.input_tensors)
        rule = RULES.get(type(operation).__name__)
        (output, *more) = node.outputs
        numbers = [tying.channels[id(tensor)] for tensor in inputs]
        if rule is None or more or getattr(operation, "data_format", "channels_last") == "channels_first":
            raise EdgecnnError(
                f"the layer {operation.name!r} ({type(operation).__name__}) cannot be pruned: train.shrink knows layers"
                " that convolve, pool, normalize batches, add, multiply and concatenate"
            )
        tying.channels[id(output)] = rule.channels(tying, operation, numbers, inputs, output)
        if len(inputs) == 1:
            read[operation.name] = numbers[0]
        written[operation.name] = tying.channels[id(output)]
    return read, written


def _products(model: keras.Model, read: dict[str, Units], written: dict[str, Units]) -> tuple[Product, ...]:
    positions = positions_read(model)
    products = []
    for layer in model.layers:
        kernels = RULES[type(layer).__name__].kernels(layer)
        others = layer.count_params() - sum(kernel.size for kernel in kernels)
        owner = Kernel(0, 0, is_mixing=False)
        for kernel in kernels or ([owner] if others else []):
            inputs = _copied(read[layer.name], kernel.copies) if kernel.is_mixing else None
            outputs = written[layer.name] if kernel.is_last else _copied(read[layer.name], kernel.multiplier)
            share = others / len(outputs) if kernel.is_last else 0
            products.append(Product(layer.name, kernel.window, positions[layer.name], inputs, outputs, share))
    return tuple(products)


def _copied(units: Units, times: int) -> Units:
    return np.repeat(units, times)
