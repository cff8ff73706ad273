"""Threads that share work."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from edgecnn import bounds
from edgecnn.errors import warn

if TYPE_CHECKING:
    from concurrent.futures import Future

_CHUNK = 32  # batches that a thread gets at once: fewer, and passing them on costs more than they do
_T = TypeVar("_T")
_R = TypeVar("_R")


def usable_threads(threads: int, name: str = "threads") -> int:
    """The number of threads, or of cores if there are fewer, with a warning.

    A number mistyped by a few digits would take every process slot of the machine.

    Raises:
        EdgecnnError: it is not a whole number of 1 or more.
    """
    wanted = bounds.whole(threads, name, 1)
    if wanted == 1:
        return 1
    from edgecnn.cpu import cores  # one thread need not wait for its imports

    most = cores()
    if wanted > most:
        warn(f"{name} is {wanted}, and this process may use {most} core{'s' if most > 1 else ''}: taking {most}")
    return min(wanted, most)


def map_batches(function: Callable[[list[_T]], list[_R]], items: Iterator[_T], size: int, workers: int) -> Iterator[_R]:
    """Call a function with batches of up to `size` items, in one thread or in several.

    Yields:
        The results, in the order of the items.
    """

    def results(batches: Iterator[_T]) -> Iterator[_R]:
        while batch := list(islice(batches, size)):
            yield from function(batch)

    if workers == 1:
        return results(items)
    return map_chunks(lambda chunk: list(results(iter(chunk))), items, _CHUNK * size, workers)


def map_chunks(function: Callable[[list[_T]], list[_R]], items: Iterator[_T], size: int, workers: int) -> Iterator[_R]:
    """Call a function with chunks of up to `size` items in several threads, and hold no more than a few chunks.

    Yields:
        The results, in the order of the items.
    """
    from concurrent.futures import ThreadPoolExecutor

    running: deque[Future[list[_R]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        while chunk := list(islice(items, size)):
            running.append(pool.submit(function, chunk))
            if len(running) == 2 * workers:
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()
