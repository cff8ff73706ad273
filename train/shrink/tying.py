"""Numbers of channels, and which of them are one."""

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.intp]


class Tying:
    """A union of numbers. Source: R. Tarjan (1975), "Efficiency of a Good But Not Linear Set Union Algorithm"."""

    def __init__(self) -> None:
        self.channels: dict[int, Numbers] = {}  # by the identity of a tensor: a number for each channel
        self.inputs: dict[str, Numbers] = {}  # by layer: of the tensor that it read when it was called first
        self._of_layers: dict[str, Numbers] = {}
        self._roots: list[int] = []

    def new(self, layer: str, count: int) -> Numbers:
        """Numbers for the channels that a layer writes; a layer that is called again writes the same."""
        if layer not in self._of_layers:
            start = len(self._roots)
            self._roots += range(start, start + count)
            self._of_layers[layer] = np.arange(start, start + count)
        return self._of_layers[layer]

    def tie(self, one: Numbers, other: Numbers) -> None:
        """Declare that the channels of two tensors are the same; a single channel meets all of the other."""
        for first, second in np.broadcast(one, other):
            low, high = sorted((self._root(int(first)), self._root(int(second))))
            self._roots[high] = low

    def units(self) -> Numbers:
        """The unit of each number, counted from 0."""
        roots = [self._root(number) for number in range(len(self._roots))]
        _, units = np.unique(roots, return_inverse=True)
        return units.astype(np.intp)

    def _root(self, number: int) -> int:
        while self._roots[number] != number:
            self._roots[number] = self._roots[self._roots[number]]
            number = self._roots[number]
        return number
