"""Which points a run makes: within budgets, down a front, or down to a floor."""

from collections.abc import Callable, Iterator
from typing import Any

Document = dict[str, Any]
Make = Callable[[str, float], Document]  # a point, by its name and its share of the parent's multiply-accumulates


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
