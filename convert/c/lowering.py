"""From a network to a plan: each operator becomes its steps, then each value gets its place in the arena."""

import numpy as np

import convert.c.ops  # noqa: F401  registers the operators
from convert.c.arena import allocate
from convert.c.banded import band_where_it_profits
from convert.c.network import Network, Operator
from convert.c.operators import LOWERINGS
from convert.c.plan import Plan, Sides
from convert.c.tiles import NO_TILES, Tiles
from edgecnn.errors import EdgecnnError


def lower(source: str, network: Network, tiles: Tiles = NO_TILES) -> Plan:
    """The steps of a network, with their places in the arena.

    Args:
        source: the file, for errors.
        network: what it holds.
        tiles: of layers that do not have those of the rule.

    Raises:
        EdgecnnError: an operator or one of its forms is none that C is written for, a tensor is not int8, or the file
            contradicts itself; or tiles do not fit.
    """
    _check(source, network)
    try:
        return _lower(source, network, tiles)
    except EdgecnnError:
        raise
    except Exception as error:  # an operator whose tensors do not fit it shows as anything
        raise EdgecnnError(f"{source} contradicts itself ({type(error).__name__}: {error}): export it anew") from None


def _check(source: str, network: Network) -> None:
    """Operators that C is written for, over int8."""
    if strange := sorted({operator.kind for operator in network.operators} - set(LOWERINGS)):
        raise EdgecnnError(f"{source} has operators that C is not written for: {', '.join(strange)}")
    for place in (network.input, *(place for operator in network.operators for place in operator.outputs)):
        tensor = network.tensors[place]
        if tensor.dtype != np.int8:
            hint = "python -m convert.tflite --quantize int8"
            raise EdgecnnError(f"{source} is not full int8: {tensor.name!r} is not ({hint})")


def _lower(source: str, network: Network, tiles: Tiles) -> Plan:
    plan = Plan(source, network, sides_read(network), tiles)
    for operator in network.operators:
        if operator not in plan.fused:
            LOWERINGS[operator.kind].lower(plan, operator)
    if strange := sorted(tiles.keys() - {step.name for step in plan.steps if step.tile_choices}):
        raise EdgecnnError(f"the tiles name {strange[0]!r}, which is no convolution of {source}: tune them again")
    band_where_it_profits(plan)
    plan.arena, plan.least_arena = allocate(plan.input, plan.steps, plan.output)
    return plan


def sides_read(network: Network) -> dict[int, Sides]:
    """The height and width that readers reach of each picture, by its place."""
    reached: dict[int, Sides] = {}
    for operator in reversed(network.operators):
        for place in operator.inputs:
            shape = network.tensors[place].shape
            if len(shape) != 4:
                continue
            sides = _reached(network, operator, place, reached)
            before = reached.get(place, (0, 0))
            reached[place] = (max(before[0], sides[0]), max(before[1], sides[1]))
    reached.pop(network.output, None)
    return reached


def _reached(network: Network, operator: Operator, place: int, reached: dict[int, Sides]) -> Sides:
    """How much of an input an operator reads."""
    reads, (_, height, width, _) = LOWERINGS[operator.kind].reads, network.tensors[place].shape
    output = operator.outputs[0]
    if reads is None or place != operator.inputs[0]:
        return height, width
    _, *sides, _ = network.tensors[output].shape
    return reads(network, operator, reached.get(output, (sides[0], sides[1])))
