"""An engine for each thread: two threads in one would read each other's answers."""

import os
import threading
import weakref
from collections.abc import Callable

from edgecnn.errors import EdgecnnError
from edgecnn.interpreters import Engine


class ThreadEngines:
    """The engines of one model, each loaded when its thread first asks for it.

    After a fork the child loads its own: the parent's have lost their threads, and the child does not touch them.

    Args:
        load: loads an engine.
        first: the engine of this thread.

    Attributes:
        local: has the attribute `engine` in a thread that has asked before.
    """

    def __init__(self, load: Callable[[], Engine], first: Engine) -> None:
        self._load: Callable[[], Engine] | None = load
        self._renew()
        self.local.engine = first
        _OPEN.add(self)

    def _renew(self) -> None:
        self.local, self._loading = threading.local(), threading.Lock()

    def get(self) -> Engine:
        """The engine of the thread that asks.

        Raises:
            EdgecnnError: the engines are closed, or it does not load.
        """
        local = self.local
        engine: Engine | None = getattr(local, "engine", None)
        if engine is None:
            with self._loading:
                load = self._load  # another thread may close them meanwhile
                if load is None:
                    raise EdgecnnError("this classifier is closed: open the model again")
                engine = load()
            local.engine = engine
        return engine

    def close(self) -> None:
        """Release the engines and the model."""
        self._load, self.local = None, threading.local()


_OPEN: "weakref.WeakSet[ThreadEngines]" = weakref.WeakSet()
_OF_PARENTS: list[threading.local] = []  # kept, so that nothing destroys what the parent still runs


def _renew_all() -> None:
    for engines in list(_OPEN):
        _OF_PARENTS.append(engines.local)
        engines._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
