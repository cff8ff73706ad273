"""Which points a run makes: within budgets, down a front, or down to a floor."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

_TRIES = 7  # conversions, for limits that only a conversion tells
_NEAR = 0.9  # share of a limit from which on a network is large enough
_MARGIN = 0.97  # of what would just fit if all were in proportion

Network = TypeVar("Network")
Document = dict[str, Any]
Make = Callable[[str, float], Document]  # a point, by its name and its share of the parent's multiply-accumulates


@dataclass(frozen=True)
class Tried(Generic[Network]):
    """A network that was measured."""

    network: Network
    macs: float
    share: float  # that it takes of the limit that it comes nearest to; above 1 it exceeds it


def largest(whole: Tried[Network], attempt: Callable[[float], Tried[Network] | None]) -> Tried[Network]:
    """The largest network within limits that are measured; if none was found, the smallest that was tried.

    Args:
        whole: the largest of all.
        attempt: measures a network of at most so many multiply-accumulates; None: none is as small.
    """
    fitting, exceeding, least = None, whole, 0.0
    target = _MARGIN * whole.macs / whole.share
    for _ in range(_TRIES if whole.share > 1 else 0):
        tried = attempt(target)
        if tried is None:
            least, target = target, (target + exceeding.macs) / 2
            continue
        if tried.share > 1:
            exceeding = tried
        else:
            fitting, least = tried, tried.macs
        if _NEAR <= tried.share <= 1:
            break
        guess = _MARGIN * tried.macs / tried.share
        target = guess if least < guess < exceeding.macs else (least + exceeding.macs) / 2
    return fitting or (whole if whole.share <= 1 else exceeding)


def halves(points: int, make: Make) -> Iterator[Document]:
    """Points of a half of the work, a quarter, and so on."""
    for number in range(1, points + 1):
        yield make(f"1-{2**number}", 1 / 2**number)


def smallest(points: int, floor: float, make: Make) -> Iterator[Document]:
    """Points on the way to the smallest that holds the floor on validation: by halves, then between two of them."""
    held, failed = 1.0, 0.0
    for number in range(1, points + 1):
        share = held / 2 if failed == 0 else (held * failed) ** 0.5
        document = make(f"floor-{number}", share)
        yield document
        held, failed = (share, failed) if holds(document, floor) else (held, share)


def holds(document: Document, floor: float) -> bool:
    """Whether a point in int8 has the accuracy on validation."""
    return bool(document["converted"]) and document["accuracy"]["validation"]["accuracy"] >= floor


def floor_report(documents: list[Document], floor: float) -> tuple[bool, str]:
    """Whether a point holds the floor, and in a line the smallest that does, or the best."""
    if held := [document for document in documents if holds(document, floor)]:
        chosen = min(held, key=lambda document: int(document["macs"]))
        return True, f"the smallest that holds {floor:g}: {chosen['folder']}, {chosen['macs']:,} multiply-accumulates"
    accuracies = {
        document["name"]: document["accuracy"]["validation"]["accuracy"]
        for document in documents
        if document["converted"]
    }
    if not accuracies:
        return False, f"none holds {floor:g} on validation: the gate refused every network"
    best = max(accuracies, key=lambda name: float(accuracies[name]))
    return False, f"none holds {floor:g} on validation: the best, {best}, has {accuracies[best]:.4f}"
