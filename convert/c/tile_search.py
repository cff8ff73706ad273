"""A search for the fastest tiles on this machine: `--tune-tiles`.

For each convolution one number after the other is changed, then the best of them together. All variants are compiled,
loaded into one process and timed in turns, step by step; the least time counts, which other work on the machine
disturbs least. A layer keeps the rule's tile where no other is faster by `_GAIN`; all keep it if the network is not
faster as a whole, timed anew.
"""

import ctypes
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from convert.c import c_text
from convert.c.build import compile_here
from convert.c.lowering import lower
from convert.c.network import Network, read_network
from convert.c.step import Step
from convert.c.tiles import NO_TILES, RULE, Tile, Tiles
from convert.processes.engine_answers import in_engine_process
from edgecnn.command import progress
from edgecnn.modelfile import ModelFile

_GAIN = 0.03  # of a layer's time
_ROUNDS, _CALLS = 60, 10  # turns of each variant, and calls in a turn
_NAMES = c_text.Names.of("network")
Times = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tuned:
    """What a search chose; times are sums over the steps of the least that each took."""

    tiles: Tiles
    kernels: str  # of this CPU
    rule_us: float
    tuned_us: float


@dataclass(frozen=True)
class _Variants:
    """What variants of a model's C are compiled of."""

    model: ModelFile
    network: Network
    folder: Path

    def compiled(self, tiles: Tiles, kernels: str = "") -> str:
        """A library with some tiles; with kernels of a CPU named, one that times its steps."""
        plan = lower(str(self.model.path), self.network, tiles)
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        text = c_text.source(_NAMES, plan, self.model.manifest) + (c_text.timing(plan, kernels) if kernels else "")
        (folder / "network.h").write_text(c_text.header(_NAMES, plan, self.model.manifest), encoding="utf-8")
        (folder / "network.c").write_text(text, encoding="utf-8")
        only = (f"-DEDGECNN_ONLY={kernels}",) if kernels else ()
        compile_here(folder / "network.c", folder / "network.so", *only)
        return str(folder / "network.so")

    def times(self, variants: Sequence[Tiles], kernels: str, steps: int) -> Times:
        """The least microseconds of each step with each of the tiles, (variants, steps)."""
        progress(f"compiling {len(variants)} variants of tiles")
        with ThreadPoolExecutor(2) as pool:
            libraries = list(pool.map(lambda tiles: self.compiled(tiles, kernels), variants))
        progress(f"timing {len(variants)} variants of tiles")
        times = in_engine_process("the library", least_times, libraries, steps)
        progress("")
        return times


def tune(model: ModelFile) -> Tuned:
    """Search the tiles of a model on this machine.

    Raises:
        EdgecnnError: C cannot be written for the model, or the compiler is not installed, or fails.
    """
    network = read_network(str(model.path), model.data)
    steps = lower(str(model.path), network).steps
    with tempfile.TemporaryDirectory() as folder:
        variants = _Variants(model, network, Path(folder))
        kernels = in_engine_process("the library", kernels_of, variants.compiled(NO_TILES))
        alternatives = [NO_TILES, *_alternatives(steps)]
        single, together = _bests(steps, alternatives, variants.times(alternatives, kernels, len(steps)))
        few = [NO_TILES, single, together]
        tiles, _ = _bests(steps, few, variants.times(few, kernels, len(steps)))
        rule_us, tuned_us = map(float, variants.times([NO_TILES, tiles], kernels, len(steps)).sum(axis=1))
    return Tuned(tiles, kernels, rule_us, tuned_us) if tuned_us < rule_us else Tuned({}, kernels, rule_us, rule_us)


def _alternatives(steps: Sequence[Step]) -> Iterator[Tiles]:
    """Tiles of which each has one number that is not the rule's: one for each step, as long as there are any.

    Layers that are one step in bands are timed together, so that one of them changes at a time.
    """
    of_steps = [
        [
            (part.name, Tile(**{key: number}))
            for part in step.parts
            for key, numbers in part.tile_choices.items()
            for number in numbers[1:]
        ]
        for step in steps
    ]
    for number in range(max(map(len, of_steps))):
        yield dict(tiles[number] for tiles in of_steps if number < len(tiles))


def _bests(steps: Sequence[Step], variants: Sequence[Tiles], times: Times) -> tuple[Tiles, Tiles]:
    """Of each layer the fastest tile; and the fastest numbers put together."""
    single: dict[str, Tile] = {}
    together: dict[str, Tile] = {}
    for step, column in zip(steps, times.T, strict=True):
        faster = [
            variants[place] for place in np.argsort(column, kind="stable") if column[place] < (1 - _GAIN) * column[0]
        ]
        changed = [{part.name: tiles[part.name] for part in step.parts if part.name in tiles} for tiles in faster]
        single |= next(filter(None, changed), {})
        for name in dict.fromkeys(name for tiles in changed for name in tiles):
            together[name] = _together([tiles[name] for tiles in changed if name in tiles])
    return single, together


def _together(tiles: Sequence[Tile]) -> Tile:
    """The numbers of several tiles, those of the first where they have the same; a band is one of the rule's rows."""
    joined = RULE
    for tile in tiles:
        numbers = {key: number for key, number in asdict(tile).items() if number and not getattr(joined, key)}
        if not (numbers.keys() & {"rows", "band"} and (joined.rows or joined.band)):
            joined = replace(joined, **numbers)
    return joined


def kernels_of(library: str) -> str:
    """The kernels that a library of `_NAMES` chooses here."""
    kernels = ctypes.CDLL(library).network_kernels
    kernels.restype = ctypes.c_char_p
    name: str = kernels().decode()
    return name


def least_times(libraries: Sequence[str], steps: int) -> Times:
    """Microseconds of each step in each library, (libraries, steps), timed in turns."""
    least = np.full((len(libraries), steps), np.inf)
    functions = [ctypes.CDLL(library).time_steps for library in libraries]
    for _ in range(_ROUNDS):
        for function, row in zip(functions, least, strict=True):
            function(_CALLS, ctypes.c_void_p(row.ctypes.data))
    return least / 1000
