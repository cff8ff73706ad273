"""A network by its name: built for the images, within a budget."""

from functools import partial
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from train.budget import Budget
from train.network_rows import AUTO, NETWORKS, REFERENCE, preferred
from train.networks import Architecture, reference_network
from workstation import architectures

NO_LIMIT = Budget()


def named_network(
    name: str,
    width: float | None,
    shape: tuple[int, ...],
    classes: int,
    normalized: bool = False,
    images: int = 0,
    budget: Budget = NO_LIMIT,
) -> Architecture:
    """The network of `--network NAME`.

    Args:
        name: of a row of `NETWORKS`, or `auto`.
        width: a factor of its channels; None: as its row says.
        shape: of an image.
        classes: how many.
        normalized: whether the reference network has batch normalization while it is fitted.
        images: for the training; `auto` reads it.
        budget: what the network may take; `auto` reads it.

    Raises:
        EdgecnnError: the images are too small for it, it has but one width, or none takes as little as the budget.
    """
    if name == AUTO:
        return _automatic(width, shape, classes, images, budget)
    row = NETWORKS[name]
    if width is not None and row.width is None:
        raise EdgecnnError(f"--width {width:g}: the network {name} has but one width")
    return reference_network(shape, normalized) if name == REFERENCE else _scaled(name, width or row.width or 1.0)


def check_budget(network: Architecture, budget: Budget, shape: tuple[int, ...], classes: int) -> None:
    """Check what a network takes.

    Raises:
        EdgecnnError: it takes more than the budget.
    """
    excess = budget.excess(network.build(shape, classes)) if budget != NO_LIMIT else ""
    if excess:
        raise EdgecnnError(f"{network.name} takes {excess}, more than --budget: --network auto, or a smaller --width")


def _automatic(width: float | None, shape: tuple[int, ...], classes: int, images: int, budget: Budget) -> Architecture:
    """The first of the preferred networks that is within the budget."""
    if width is not None:
        raise EdgecnnError("--network auto chooses the width too: leave --width away, or name the network")
    excess = ""
    for name, scale in preferred(shape[:2], images):
        network = _scaled(name, scale)
        excess = budget.excess(network.build(shape, classes))
        if not excess:
            return network
    raise EdgecnnError(f"--budget: even {network.name} takes {excess} here: a larger budget, or a smaller --image-size")


def _scaled(name: str, width: float) -> Architecture:
    build = partial(getattr(architectures, name), width=width)
    full = name if width == 1 else f"{name} {width:g}"
    return Architecture(full, build, sha256(Path(architectures.__file__).read_bytes()), signed=NETWORKS[name].signed)
