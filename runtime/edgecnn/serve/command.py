"""The command `edgecnn serve`."""

import argparse
import asyncio
import contextlib
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn

from edgecnn.answer_options import answering_of, publishing
from edgecnn.answering import Answering
from edgecnn.classifier import Classifier
from edgecnn.command import OK, stream_json, tell
from edgecnn.cpu import cores
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.live import Live
from edgecnn.message import Message
from edgecnn.model_opening import open_model
from edgecnn.serve.access import Guard
from edgecnn.serve.application import Application
from edgecnn.serve.camera import Camera
from edgecnn.serve.connections import Connection
from edgecnn.serve.metrics import Metrics
from edgecnn.serve.model import ServedModel, version_of
from edgecnn.serve.pool import Pool

TOKEN = "EDGECNN_TOKEN"
_LEAST_TOKEN, _MOST_TOKEN = 16, 512  # bytes
_DRAIN = 30  # seconds that running requests get when the server ends
_FILES = 4096  # open files that are asked for: connections are files


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn serve`: until SIGTERM or Ctrl-C comes, which let running requests end."""
    token = _token(options.token_file)
    _check_camera(options)
    with _listening(options.host, options.port) as listener:
        local = _is_local(listener)
        _check_exposed(listener, local, token, options.open)
        served = ServedModel(options.model, lambda: _opened(options), tell)
        with contextlib.suppress(EdgecnnError):  # there is no Pillow
            served.classifier.classify(np.zeros(served.classifier.manifest.input.shape[:2], np.uint8))  # imports it
        pool = Pool(options.workers or cores(), options.queue)
        live = Live(options.camera, tell=tell) if options.camera else None
        metrics = Metrics(served, pool, live)
        with publishing(options, served.classifier.manifest.labels) as publish:
            camera = _camera(live, served, metrics, options, publish) if live else None
            application = Application(served, pool, metrics, camera)
            guard = Guard(application.router(), token, local, tell, metrics.count_error)
            _announce(listener, served, options.json)
            _serve(_Server(_config(guard), application), listener)
    return OK


def _camera(
    live: Live, served: ServedModel, metrics: Metrics, options: argparse.Namespace, publish: Callable[[Message], None]
) -> Camera:
    def answering(classifier: Classifier) -> Answering:
        return answering_of(classifier, options.camera, options)

    return Camera(live, served, metrics, answering, publish)


def _check_camera(options: argparse.Namespace) -> None:
    """Refuse options for a camera's frames where there is no camera."""
    if not options.camera and (options.mqtt or options.keep_unsure or options.on_change or options.smooth > 1):
        raise EdgecnnError("--smooth, --on-change, --mqtt and --keep-unsure are for a camera's frames: name --camera")


def _opened(options: argparse.Namespace) -> Any:
    return open_model(options.model, options.engine, options.threads, options.threshold)


def _token(path: Path | None) -> bytes | None:
    """The token of a file or of the environment; None if there is none.

    Raises:
        EdgecnnError: it is too short, too long, or no line of ASCII.
    """
    words = read_file(path, 2**16) if path else os.environ.get(TOKEN, "").encode()
    token, source = words.strip(), path or f"the variable {TOKEN}"
    if not token and path is None:
        return None
    if not _LEAST_TOKEN <= len(token) <= _MOST_TOKEN or not all(33 <= code <= 126 for code in token):
        raise EdgecnnError(
            f"{source} holds no token of {_LEAST_TOKEN} to {_MOST_TOKEN} letters and digits:"
            " python3 -c 'import secrets; print(secrets.token_urlsafe())' writes one"
        )
    return token


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        EdgecnnError: the port is in use, or the address is none of this machine.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        reason = (
            "is in use: choose another one (--port)" if error.errno in _IN_USE else f"cannot be used: {error.strerror}"
        )
        raise EdgecnnError(f"port {port} of {host} {reason}") from None
    with listener:
        yield listener


_IN_USE = (98, 48, 10048)  # EADDRINUSE of Linux, macOS and Windows


def _is_local(listener: socket.socket) -> bool:
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def _check_exposed(listener: socket.socket, local: bool, token: bytes | None, is_open: bool) -> None:
    """Refuse to serve everybody by mistake.

    Raises:
        EdgecnnError: others reach this address, and no token is wanted of them.
    """
    if local or token:
        return
    if not is_open:
        raise EdgecnnError(
            f"{listener.getsockname()[0]} is reached by others: set a token (--token-file FILE, or {TOKEN} in the"
            " environment), or let everybody ask (--open)"
        )
    tell("open: whoever reaches this address may ask, and see the camera")


def _announce(listener: socket.socket, served: ServedModel, as_json: bool) -> None:
    """Say where the server is."""
    address, port = listener.getsockname()[:2]
    host = f"[{address}]" if ":" in address else address
    name = socket.gethostname() if address in ("0.0.0.0", "::") else host
    classifier = served.classifier
    url = f"http://{name}:{port}/"
    if as_json:
        stream_json({"url": url, "model": classifier.manifest.name, "version": version_of(classifier)})
    tell(f"serving {classifier.manifest.name} {version_of(classifier)} ({classifier.engine}) at {url}")


def _config(guard: Guard) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())
    return uvicorn.Config(
        guard, http=Connection, ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
        server_header=False, proxy_headers=False, timeout_graceful_shutdown=_DRAIN, timeout_keep_alive=30,
    )  # fmt: skip


class _Server(uvicorn.Server):
    """A server that lets those who wait for a frame go when it ends."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to follow the model's file and the camera."""
        await super().startup(sockets)
        self._application.served.follow()
        if self._application.camera:
            self._application.camera.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End once running requests have ended."""
        self._application.leaving = True
        if self._application.camera:
            await asyncio.get_running_loop().run_in_executor(None, self._application.camera.close)
        await super().shutdown(sockets)
        self._application.served.close()
        self._application.pool.close()


def _serve(server: _Server, listener: socket.socket) -> None:
    """Serve until a signal comes; uvicorn raises it again at the end, when it means nothing any more."""
    _raise_file_limit()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server.run([listener])
    tell("ended")


def _raise_file_limit() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on Windows
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
