"""What becomes of the answers to a camera's frames, by the options of `watch` and `serve`."""

import argparse
import contextlib
from collections.abc import Callable, Iterator

from edgecnn.answering import Answering
from edgecnn.classifier import Classifier
from edgecnn.drift import drift_of
from edgecnn.errors import EdgecnnError
from edgecnn.message import Message
from edgecnn.smoothing import Changes
from edgecnn.source_names import is_live
from edgecnn.unsure import UnsureFolder

_PAUSE = 1.0  # seconds from one unsure picture of a camera to the next, at least


def answering_of(classifier: Classifier, source: str, options: argparse.Namespace) -> Answering:
    """The way from frames to messages, as the options say.

    Raises:
        EdgecnnError: an option goes without the one it belongs to, or the folder cannot be written.
    """
    if options.hold is not None and not options.on_change:
        raise EdgecnnError("--hold says how long a change must last: name --on-change too")
    changes = Changes(options.hold or 0.0) if options.on_change else None
    drift = drift_of(classifier.manifest, options.drift)
    return Answering(classifier, source, options.smooth, changes, drift, _unsure(classifier, source, options))


def _unsure(classifier: Classifier, source: str, options: argparse.Namespace) -> UnsureFolder | None:
    if options.keep_unsure is None:
        return None
    if not classifier.threshold:
        raise EdgecnnError("--keep-unsure keeps pictures below the threshold, and this model has none: --threshold")
    pause = _PAUSE if is_live(source) else 0.0
    return UnsureFolder(options.keep_unsure, options.keep_megabytes * 10**6, pause)


@contextlib.contextmanager
def publishing(options: argparse.Namespace, labels: tuple[str, ...]) -> Iterator[Callable[[Message], None]]:
    """A function that publishes a message where `--mqtt` says, at once; it does nothing without.

    Of all answers only the newest waits for a broker that is away; changes all do.
    """
    if options.mqtt is None:
        yield lambda message: None
        return
    from edgecnn.mqtt import EVENTS, Publisher
    from edgecnn.mqtt_address import mqtt_address

    waiting = EVENTS if options.on_change else 1
    address = mqtt_address(options.mqtt)
    publisher = Publisher(address, labels, waiting, options.mqtt_password_file, options.mqtt_ca)
    try:
        yield publisher.publish
    finally:
        publisher.close()
