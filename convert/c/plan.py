"""What is known while a graph becomes the steps of its C, and how much of each value anybody reads."""

from dataclasses import dataclass, field
from math import prod
from typing import Any

from convert.c.graph import Graph, Op, Tensor
from convert.c.steps import Buffer, Step, Value
from convert.layer_names import layer_of
from edgecnn.errors import EdgecnnError

SAME = 0  # schema.Padding
_LONGEST = 48  # characters of a layer's name in C


@dataclass
class Plan:
    """The steps, in their order; the first value is the input, the last the output."""

    source: str
    graph: Graph
    steps: list[Step] = field(default_factory=list)
    values: dict[int, Value] = field(default_factory=dict)  # by the tensor's place
    buffers: list[Buffer] = field(default_factory=list)
    arena: int = 0  # bytes

    def __post_init__(self) -> None:
        self.readers: dict[int, list[Op]] = {}
        for op in self.graph.ops:
            for each in set(op.inputs):
                self.readers.setdefault(each, []).append(op)
        self.read = read_sides(self.graph)
        self.names: set[str] = set()

    @property
    def input(self) -> Value:
        """Where the pixels go."""
        return self.values[self.graph.input]

    @property
    def output(self) -> Value:
        """Where the answer is."""
        return self.values[self.graph.output]

    def tensor(self, place: int) -> Tensor:
        """A tensor of the graph."""
        return self.graph.tensors[place]

    def value(self, place: int) -> Value:
        """A computed value, about to be read by the next step.

        Raises:
            EdgecnnError: it is a constant.
        """
        if place not in self.values:
            raise self.refusal(f"reads the constant {self.tensor(place).name!r} where a computed value is expected")
        found = self.values[place]
        found.buffer.last = len(self.steps)
        return found

    def constant(self, place: int) -> Any:
        """The values of a constant."""
        data = self.tensor(place).data
        if data is None:
            raise self.refusal(f"computes {self.tensor(place).name!r}, which must be a constant")
        return data

    def whole(self, place: int) -> tuple[int, int, int]:
        """A tensor's (height, width, channels); what is no picture is one row of channels."""
        shape = self.tensor(place).shape
        return (shape[1], shape[2], shape[3]) if len(shape) == 4 else (1, 1, prod(shape))

    def new(self, height: int, width: int, channels: int) -> Value:
        """Room for what the next step writes."""
        buffer = Buffer(height * width * channels, len(self.steps), len(self.steps))
        self.buffers.append(buffer)
        return Value(buffer, height, width, channels)

    def make(self, place: int) -> Value:
        """Room for a tensor, as much of it as anybody reads."""
        height, width, channels = self.whole(place)
        height, width = self.read.get(place, (height, width))
        self.values[place] = self.new(height, width, channels)
        return self.values[place]

    def name(self, place: int, kind: str) -> str:
        """A name of its own for a step: the Keras layer's, if it is known."""
        layer = layer_of(self.tensor(place).name) or kind.lower()
        base = "".join(char if char.isalnum() and char.isascii() else "_" for char in layer)
        base = f"layer_{base[:_LONGEST]}"  # never a kernel's name, nor a word of C
        name, number = base, 1
        while name in self.names:
            name, number = f"{base}_{number}", number + 1
        self.names.add(name)
        return name

    def refusal(self, what: str) -> EdgecnnError:
        """The error for a graph that C cannot be written for."""
        return EdgecnnError(f"{self.source} {what}: C is not written for that")

    def make_whole(self, place: int) -> Value:
        """Room for all of a tensor, whoever reads how much of it."""
        self.values[place] = self.new(*self.whole(place))
        return self.values[place]


def read_sides(graph: Graph) -> dict[int, tuple[int, int]]:
    """Of each tensor that a window reads, the height and width that it reaches."""
    read: dict[int, tuple[int, int]] = {}
    windows = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "AVERAGE_POOL_2D")
    for op in reversed(graph.ops):
        taken, given = op.inputs[0], op.outputs[0]
        for each in op.inputs:
            shape = graph.tensors[each].shape
            if len(shape) != 4:
                continue
            sides = (shape[1], shape[2])
            if op.kind in windows and each == taken and op.options["padding"] != SAME:
                kernel = _kernel(graph, op)
                strides = (op.options["strideH"], op.options["strideW"])
                outputs = read.get(given, graph.tensors[given].shape[1:3])
                sides = reach(outputs, kernel, strides)
            before = read.get(each, (0, 0))
            read[each] = (max(before[0], sides[0]), max(before[1], sides[1]))
    read.pop(graph.output, None)
    return read


def _kernel(graph: Graph, op: Op) -> tuple[int, int]:
    if "filterHeight" in op.options:
        return op.options["filterHeight"], op.options["filterWidth"]
    return graph.tensors[op.inputs[1]].shape[1:3]  # type: ignore[return-value]


def reach(outputs: tuple[int, ...], kernel: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int]:
    """How many inputs a window passes over to give so many outputs, down and across."""
    height, width = ((n - 1) * stride + k for n, k, stride in zip(outputs, kernel, strides, strict=True))
    return height, width
