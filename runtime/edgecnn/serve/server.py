"""The server itself: uvicorn, until SIGTERM or Ctrl-C comes."""

import contextlib
import logging
import signal
import socket

import uvicorn

from edgecnn.serve.access import Guard
from edgecnn.serve.application import Application
from edgecnn.serve.connections import Connection

_DRAIN = 30  # seconds that running requests get when the server ends
_FILES = 4096  # open files that are asked for: connections are files


def serve(guard: Guard, application: Application, listener: socket.socket) -> None:
    """Serve until a signal comes; uvicorn raises it again at the end, when it means nothing any more."""
    _raise_file_limit()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _Server(_config(guard), application).run([listener])


class _Server(uvicorn.Server):
    """A server that lets those who wait for a frame go when it ends."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        self._application.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End once running requests have ended."""
        await self._application.leave()
        await super().shutdown(sockets)
        self._application.close()


def _config(guard: Guard) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
    return uvicorn.Config(
        guard, http=Connection, ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=_DRAIN, timeout_keep_alive=30,
    )  # fmt: skip


def _raise_file_limit() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
