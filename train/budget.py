"""What a network may take on the device: `--budget macs=5M,params=100k`."""

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass
from math import prod
from typing import Any

_PART = re.compile(r"(macs|params)=(\d{1,6}(?:\.\d{1,6})?)([kMG]?)", re.ASCII)
_FACTORS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True)
class Budget:
    """The most; infinite where the option says nothing."""

    macs: float = float("inf")  # multiply-accumulates of an image
    params: float = float("inf")

    def excess(self, model: Any) -> str:
        """What a Keras model takes more than it may, in words; empty if it fits."""
        taken = {"macs": (multiply_accumulates(model), self.macs), "params": (model.count_params(), self.params)}
        return " and ".join(f"{name}={count:,}" for name, (count, most) in taken.items() if count > most)


def parse_budget(text: str) -> Budget:
    """A type for argparse.

    Raises:
        ArgumentTypeError: the text is no budget.
    """
    parts = [_PART.fullmatch(part) for part in text.split(",")]
    names = [part[1] for part in parts if part]
    if not all(parts) or len(set(names)) < len(parts):
        raise ArgumentTypeError(f"{text!r} is no budget: write macs=5M, params=100k or both, with a comma")
    return Budget(**{part[1]: float(part[2]) * _FACTORS[part[3]] for part in parts if part})


def multiply_accumulates(model: Any) -> int:
    """Multiply-accumulates of an image through a Keras model, as `convert.c` computes them.

    Kernels' weights times the places that they are applied at, without those that a pooling does not read.
    """
    from train.flat_model import flattened  # they load TensorFlow
    from train.positions import positions_read

    flat = flattened(model)
    positions = positions_read(flat)
    kernels = [
        (layer.name, weight) for layer in flat.layers for weight in layer.weights if weight.path.endswith("kernel")
    ]
    return sum(prod(kernel.shape) * positions[name] for name, kernel in kernels)
