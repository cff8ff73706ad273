"""Threads that answer requests, each with an interpreter of its own, and a queue that ends somewhere."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from edgecnn.errors import EdgecnnError
from edgecnn.serve.refusal import RefusalError, refusal_of

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Pool:
    """Threads for requests.

    Args:
        threads: requests that are answered at once.
        queue: requests that may wait beside these.

    Attributes:
        requests: that are answered or wait now.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self.threads, self._most, self.requests = threads, threads + queue, 0
        self._executor = ThreadPoolExecutor(threads, "request")

    async def run(self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
        """Call a function in a thread.

        Raises:
            RefusalError: too many requests wait, or the function raised an EdgecnnError.
        """
        if self.requests >= self._most:
            raise RefusalError(503, f"{self.requests} requests are waiting: ask again later", {"retry-after": "1"})
        self.requests += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, lambda: function(*args, **kwargs))
        except EdgecnnError as error:
            raise refusal_of(error) from None
        finally:
            self.requests -= 1

    def close(self) -> None:
        """End the threads once they are idle."""
        self._executor.shutdown(wait=False)
