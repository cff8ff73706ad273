"""No more than so many frames a second."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


def paced(frames: Iterable[_T], rate: float | None, wait: Callable[[float], object] = time.sleep) -> Iterator[_T]:
    """Frames at a pace; one that comes late is made up for, more are not.

    Args:
        frames: any, as they come.
        rate: the most in a second; None sets no pace.
        wait: waits so many seconds, or less where the waiting is to end.
    """
    period, due = 1 / rate if rate else 0.0, time.monotonic()
    for frame in frames:
        yield frame
        if period:
            due = max(due + period, time.monotonic() - period)
            wait(max(0.0, due - time.monotonic()))
