"""The command `edgecnn serve`."""

import argparse
import contextlib
import socket
from collections.abc import Callable

import numpy as np

from edgecnn.answer_options import answering_of, publishing
from edgecnn.answering import Answering
from edgecnn.classifier import Classifier
from edgecnn.command import OK, stream_json, tell
from edgecnn.cpu import cores
from edgecnn.errors import EdgecnnError
from edgecnn.live import Live
from edgecnn.message import Message
from edgecnn.model_opening import open_model
from edgecnn.serve.access import Guard
from edgecnn.serve.application import Application
from edgecnn.serve.camera import Camera
from edgecnn.serve.listening import is_local, listening, url_of
from edgecnn.serve.metrics import Metrics
from edgecnn.serve.model import ServedModel, version_of
from edgecnn.serve.pool import Pool
from edgecnn.serve.server import serve
from edgecnn.serve.token import TOKEN, token_of


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn serve`: until SIGTERM or Ctrl-C comes, which let running requests end."""
    token = token_of(options.token_file)
    _check_camera(options)
    with listening(options.host, options.port) as listener:
        local = is_local(listener)
        _check_exposed(listener, local, token, options.open)
        served = ServedModel(options.model, lambda: _opened(options), tell)
        pool = Pool(options.workers or cores(), options.queue)
        live = Live(options.camera, tell=tell) if options.camera else None
        metrics = Metrics(served, pool, live)
        with publishing(options, served.classifier.manifest.labels) as publish:
            camera = _camera(live, served, metrics, options, publish) if live else None
            application = Application(served, pool, metrics, camera)
            guard = Guard(application.router(), token, local, tell, metrics.count_error)
            _announce(url_of(listener), served.classifier, options.json)
            serve(guard, application, listener)
            tell("ended")
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


def _opened(options: argparse.Namespace) -> Classifier:
    """The classifier, with all modules that a picture takes."""
    classifier = open_model(options.model, options.engine, options.threads, options.threshold)
    with contextlib.suppress(EdgecnnError):  # there is no Pillow
        classifier.classify(np.zeros(classifier.manifest.input.shape[:2], np.uint8))
    return classifier


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


def _announce(url: str, classifier: Classifier, as_json: bool) -> None:
    """Say where the server is."""
    name, version = classifier.manifest.name, version_of(classifier)
    if as_json:
        stream_json({"url": url, "model": name, "version": version})
    tell(f"serving {name} {version} ({classifier.engine}) at {url}")
