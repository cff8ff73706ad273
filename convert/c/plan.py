"""A network on its way to C: the steps so far, and where each tensor's value is."""

from dataclasses import dataclass, field
from math import prod
from typing import Any

from convert.c.network import Network, NetworkTensor, Operator
from convert.c.step import Buffer, Step, Value
from convert.c.tiles import Tiles
from edgecnn.errors import EdgecnnError
from workstation.layer_names import layer_of

Sides = tuple[int, int]  # height and width
Border = tuple[int, int, int, int]  # rows and columns: top, bottom, left, right
_LONGEST = 48  # characters of a layer's name in C


@dataclass
class Plan:
    """The steps, in their order. Tensors are named by their place in the network."""

    source: str
    network: Network
    sides_read: dict[int, Sides] = field(default_factory=dict)  # of tensors that nobody reads to their ends
    tiles: Tiles = field(default_factory=dict)  # that are not those of the rule
    steps: list[Step] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)
    fused: list[Operator] = field(default_factory=list)  # computed by the step of another operator
    around: dict[int, Border] = field(default_factory=dict)  # of tensors that are stored without their border
    arena: int = 0  # bytes
    least_arena: int = 0  # bytes of all values that live at the same time

    def __post_init__(self) -> None:
        self.step_names: set[str] = set()
        self.values[self.network.input] = self.new(*self.picture(self.network.input))

    @property
    def input(self) -> Value:
        """Where the pixels go."""
        return self.values[self.network.input]

    @property
    def output(self) -> Value:
        """Where the answer is."""
        return self.value(self.network.output)

    def tensor(self, place: int) -> NetworkTensor:
        """A tensor of the network."""
        return self.network.tensors[place]

    def readers(self, place: int) -> list[Operator]:
        """The operators that read a tensor."""
        return [operator for operator in self.network.operators if place in operator.inputs]

    def value(self, place: int) -> Value:
        """Where a computed tensor is.

        Raises:
            EdgecnnError: it is a constant.
        """
        if place not in self.values:
            raise self.refusal(f"reads the constant {self.tensor(place).name!r} where a computed value is expected")
        return self.values[place]

    def constant(self, place: int) -> Any:
        """The values of a constant."""
        constant = self.tensor(place).constant
        if constant is None:
            raise self.refusal(f"computes {self.tensor(place).name!r}, which must be a constant")
        return constant

    def picture(self, place: int) -> tuple[int, int, int]:
        """A tensor's (height, width, channels); what is no picture is one row of channels."""
        shape = self.tensor(place).shape
        return (shape[1], shape[2], shape[3]) if len(shape) == 4 else (1, 1, prod(shape))

    def new(self, height: int, width: int, channels: int) -> Value:
        """Room for a value."""
        return Value(Buffer(height * width * channels), height, width, channels)

    def output_value(self, place: int) -> Value:
        """Room for all of a tensor."""
        self.values[place] = self.new(*self.picture(place))
        return self.values[place]

    def output_value_read(self, place: int) -> Value:
        """Room for as much of a tensor as anybody reads."""
        height, width, channels = self.picture(place)
        height, width = self.sides_read.get(place, (height, width))
        self.values[place] = self.new(height, width, channels)
        return self.values[place]

    def name(self, operator: Operator, place: int | None = None) -> str:
        """A name of its own for a step: the Keras layer's, if it is known, of the first output or of another one."""
        tensor = self.tensor(operator.outputs[0] if place is None else place)
        layer = layer_of(tensor.name) or operator.kind.lower()
        base = "".join(char if char.isalnum() and char.isascii() else "_" for char in layer)
        name = f"layer_{base[:_LONGEST]}"  # never a kernel's name, nor a word of C
        mistakable = any(_extends(name, other) or _extends(other, name) for other in self.step_names)
        return self.unique_name(f"{name}_1" if mistakable else name)

    def unique_name(self, base: str) -> str:
        """A name that no other step has."""
        name, number = base, 1
        while name in self.step_names:
            name, number = f"{base}_{number}", number + 1
        self.step_names.add(name)
        return name

    def refusal(self, what: str) -> EdgecnnError:
        """The error for a network that C cannot be written for."""
        return EdgecnnError(f"{self.source} {what}: C is not written for that")


def _extends(name: str, other: str) -> bool:
    """Whether a step's name may be what a constant of another step is called: other_weights, but not other_1."""
    return name.startswith(f"{other}_") and not name[len(other) + 1 :][:1].isdigit()
