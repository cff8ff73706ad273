"""The camera of the server: every frame that there is time for is classified; its picture is for those who look."""

import asyncio
import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgecnn.answering import Answering
from edgecnn.classifier import Classifier
from edgecnn.errors import EdgecnnError
from edgecnn.live import Live, Shot
from edgecnn.message import Message, error_message
from edgecnn.pace import paced
from edgecnn.pillow import load_pillow
from edgecnn.raw_picture import RawPicture
from edgecnn.serve.metrics import Metrics
from edgecnn.serve.model import ServedModel

SIDE, QUALITY = 640, 80  # pixels of the longer side, and of JPEG, of a picture for the page
RATE = 15.0  # frames a second that are classified
_WAIT = 1.0  # seconds for a frame, before the camera's state is looked at


@dataclass(frozen=True)
class View:
    """A frame and its answer."""

    number: int
    picture: RawPicture
    message: Message


class Camera:
    """A camera whose newest frame is always classified.

    Args:
        live: the camera.
        served: the model.
        metrics: counts the answers.
        answering_of: the way from a frame to its message, by a classifier.
        pass_on: is called with each message that is owed.

    Attributes:
        live: the camera.
        trouble: why there is no frame now, in a line; None if there is.
    """

    def __init__(
        self,
        live: Live,
        served: ServedModel,
        metrics: Metrics,
        answering_of: Callable[[Classifier], Answering],
        pass_on: Callable[[Message], None],
    ):
        self.live, self._served, self._metrics = live, served, metrics
        self._answering_of, self._pass_on = answering_of, pass_on
        self._begin(served.classifier)
        self._view: View | None = None
        self._failure: str | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._change = asyncio.Event()
        self._jpeg: tuple[int, bytes] = (-1, b"")
        self._encoding = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="camera", daemon=True)

    def start(self) -> None:
        """Begin; called in the server's loop."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def close(self) -> None:
        """Release the camera, and let those who wait go."""
        self._closed.set()
        self.live.close()
        self._change.set()

    @property
    def trouble(self) -> str | None:
        """Why there is no frame now."""
        return self._failure or self.live.trouble

    async def next_view(self, after: int, seconds: float) -> View | None:
        """The newest frame with its answer, once its number is above `after`; None if there is none in time."""
        end = time.monotonic() + seconds
        while not self._closed.is_set():
            view = self._view
            if view and view.number > after:
                return view
            left = end - time.monotonic()
            if left <= 0 or self.trouble:
                return None
            change = self._change
            try:
                await asyncio.wait_for(change.wait(), min(left, _WAIT))
            except asyncio.TimeoutError:
                continue
        return None

    def jpeg(self, view: View) -> bytes:
        """The picture of a frame as JPEG, made once for all who look."""
        with self._encoding:
            if self._jpeg[0] != view.number:
                self._jpeg = view.number, _jpeg(view.picture)
            return self._jpeg[1]

    def _follow(self) -> None:
        try:
            for shot in paced(self.live.shots(), RATE, self._closed.wait):
                self._show(shot)
        except EdgecnnError as error:
            self._failure = str(error)

    def _show(self, shot: Shot) -> None:
        classifier = self._served.classifier
        try:
            if classifier is not self._answering.classifier:  # it was replaced
                self._begin(classifier)
            message = self._answering.message(shot.frame(classifier.manifest.input))
        except EdgecnnError as error:
            message = error_message(classifier, str(error), self.live.name, str(shot.number))
        if "error" not in message:
            self._metrics.count_message("camera", message)
        if self._answering.is_owed(message):
            self._pass_on(message)
        self._publish(View(shot.number, shot.picture, message))

    def _begin(self, classifier: Classifier) -> None:
        """Answer by this classifier from now on."""
        self._answering = self._answering_of(classifier)
        self._metrics.drift = self._answering.drift

    def _publish(self, view: View) -> None:
        """Show a frame to all who wait."""
        self._view = view
        assert self._loop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        change, self._change = self._change, asyncio.Event()
        change.set()


def _jpeg(picture: RawPicture) -> bytes:
    image = load_pillow().fromarray(picture.grey() if picture.layout.pixels == "grey" else picture.rgb())
    image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
