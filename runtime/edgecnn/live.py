"""The newest frame of a camera or a live stream, for as many readers as there are.

    with Live("csi") as live:                # or csi:1, auto, 0, /dev/video0, rtsp://...
        for shot in live.shots():            # never twice the same one
            shot.picture.rgb()               # uint8, (height, width, 3), at the camera's size; or .grey()
            shot.frame(classifier.manifest.input).pixels    # what the model takes

A thread reads as fast as frames arrive, and keeps the newest; older ones that nobody asked for are dropped, and
counted. A camera that is lost is opened again, with pauses that grow; `trouble` says what is wrong meanwhile.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType

from edgecnn.capture import RATE, SIZE, Capture, open_capture
from edgecnn.errors import EdgecnnError
from edgecnn.frames import Frame, fitted_frame
from edgecnn.manifest import Input
from edgecnn.raw_picture import RawPicture
from edgecnn.source_names import shown_name

PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before a lost camera is opened again; the last one from then on
_PATIENCE = 2.0  # seconds, for a frame that is being read when the source is closed


@dataclass(frozen=True)
class Shot:
    """A frame of a live source.

    Attributes:
        number: how many frames the source had sent before it; it goes on when the source comes back.
        time: when it arrived, in seconds since the epoch.
        picture: its pixels, as the source sends them.
    """

    number: int
    time: float
    picture: RawPicture

    def frame(self, wanted: Input, dropped: int = 0) -> Frame:
        """The frame for a model with this input; without pixels, and why, if it shows no character."""
        return fitted_frame(str(self.number), self.picture, wanted, dropped)


class Live:
    """A camera or live stream that is read by a thread of its own. Threads may share it.

    Args:
        source: `csi` or `csi:N` (the Raspberry Pi's camera), `auto`, a USB camera's number or device, or a URL.
        size: width and height in pixels that a CSI camera is asked for; others send what they send.
        rate: frames a second that a CSI camera is asked for.
        tell: is called with a line when the source is lost, and when it is back; in the reading thread.
        capture: the source, if it is open already.

    Attributes:
        name: the source, without a password.
        arrived: frames so far.
        dropped: frames so far that nobody asked for in time.
        reconnections: how often the source came back.
        trouble: why there are no frames now, in a line; None if there are.

    Raises:
        EdgecnnError: the source cannot be opened now.
    """

    def __init__(
        self,
        source: str,
        size: tuple[int, int] = SIZE,
        rate: float = RATE,
        tell: Callable[[str], None] = lambda line: None,
        capture: Capture | None = None,
    ) -> None:
        self.name, self._tell, self._open = shown_name(source), tell, partial(open_capture, source, size, rate)
        self.arrived = self.dropped = self.reconnections = 0
        self.trouble: str | None = None
        self._shot: Shot | None = None
        self._wanted = False  # whether somebody got the newest shot
        self._failure: EdgecnnError | None = None
        self._closed = threading.Event()
        self._change = threading.Condition()
        self._capture: Capture | None = capture or self._open()
        self._thread = threading.Thread(target=self._follow, name=f"live {self.name}", daemon=True)
        self._thread.start()

    def newest(self, after: int = -1, timeout: float | None = None) -> Shot | None:
        """The newest shot whose number is above `after`, as soon as there is one.

        Args:
            after: the number of the last shot that this reader got.
            timeout: seconds to wait; None waits as long as it takes.

        Returns:
            The shot; None when the time is over or the source is closed.

        Raises:
            EdgecnnError: the source could be opened, but has never sent a frame.
        """
        with self._change:
            self._change.wait_for(lambda: self._ended or (self._shot and self._shot.number > after), timeout)
            if self._failure:
                raise EdgecnnError(str(self._failure))
            if self._closed.is_set() or self._shot is None or self._shot.number <= after:
                return None
            self._wanted = True
            return self._shot

    def shots(self) -> Iterator[Shot]:
        """The newest shot again and again, until the source is closed."""
        number = -1
        while shot := self.newest(number):
            number = shot.number
            yield shot

    def close(self) -> None:
        """End the thread and release the camera; readers that wait get None."""
        self._closed.set()
        with self._change:
            self._change.notify_all()
        if self._capture:
            self._capture.stop()
        self._thread.join(_PATIENCE)  # one that waits for the network is left to the end of the process

    def __enter__(self) -> "Live":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _ended(self) -> bool:
        return self._closed.is_set() or self._failure is not None

    def _follow(self) -> None:
        """Read until the source is closed; open it again when it is lost."""
        failures = 0
        while not self._closed.is_set():
            before = self.arrived
            try:
                self._read()
            except Exception as error:  # of a driver, too: a thread that dies would leave its readers waiting
                failures = 0 if self.arrived > before else failures
                self._lose(error if isinstance(error, EdgecnnError) else EdgecnnError(f"{self.name}: {error}"))
            if self._ended or self._closed.wait(PAUSES[min(failures, len(PAUSES) - 1)]):
                return
            failures += 1

    def _read(self) -> None:
        """Read until the source is closed or lost."""
        capture = self._capture = self._capture or self._open()
        try:
            while not self._closed.is_set():
                self._keep(capture.read())
        finally:
            self._capture = None
            capture.close()

    def _keep(self, picture: RawPicture) -> None:
        with self._change:
            self.dropped += self._shot is not None and not self._wanted
            self._shot, self._wanted = Shot(self.arrived, time.time(), picture), False
            self.arrived += 1
            back, self.trouble = self.trouble, None
            self._change.notify_all()
        if back:
            self.reconnections += 1
            self._tell(f"{self.name} is back")

    def _lose(self, error: EdgecnnError) -> None:
        """Note why there are no more frames; it is final if there never was one."""
        if self._closed.is_set():
            return
        with self._change:
            self._shot, known, self.trouble = None, self.trouble, str(error)  # what was seen last is no longer so
            self._failure = None if self.arrived else error
            self._change.notify_all()
        if self.arrived and not known:
            self._tell(f"{error}; it is opened again as soon as it is there")
