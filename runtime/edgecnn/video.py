"""Videos, cameras and streams from the network, as frames. Needs OpenCV: the extra `camera`."""

import importlib
import re
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from edgecnn.device import install
from edgecnn.errors import EdgecnnError
from edgecnn.frames import Frame, frame_of
from edgecnn.images import fit_image
from edgecnn.manifest import Input
from edgecnn.streams import quiet

_CAMERA = "/dev/video"
_PATIENCE = 2.0  # seconds, for a frame that is being read when the stream is left
_NO_FRAME = (
    "opens and sends no frame. The Raspberry Pi's own camera module is not read by OpenCV: let it fill a folder"
    " (rpicam-still -n -t 0 --timelapse 1000 -o frames/%06d.jpg) and watch that; or use a USB camera"
)


def is_camera(source: str) -> bool:
    """Whether a source is a camera's number or device."""
    return source.removeprefix(_CAMERA).isdecimal()


def is_url(source: str) -> bool:
    """Whether a source is a stream or file of the network."""
    return "://" in source


def video_frames(source: str, wanted: Input) -> Iterator[Frame]:
    """The frames of a video file; or of a camera or a live stream, by its number, device or URL, which never ends.

    A live source yields its newest frame; frames that arrived meanwhile are dropped.

    Raises:
        EdgecnnError: OpenCV is not installed, the source cannot be opened, or a live source ends.
    """
    cv2 = _opencv()
    camera = is_camera(source)
    with quiet():  # it reports every back end that it tries
        capture = cv2.VideoCapture(int(source.removeprefix(_CAMERA)) if camera else source)
    name = re.sub("//[^/@]*@", "//", source)  # no passwords in logs
    if not capture.isOpened():
        kind = f"camera {name}: is it connected, and are you in the group video?" if camera else f"{name} as a video"
        raise EdgecnnError(f"cannot open {kind}")
    live = camera or (is_url(source) and capture.get(cv2.CAP_PROP_FRAME_COUNT) <= 0)
    frames = _NewestFrame(capture) if live else capture
    order = cv2.COLOR_BGR2GRAY if wanted.shape[2] == 1 else cv2.COLOR_BGR2RGB
    number = 0
    try:
        while (reading := frames.read())[0]:
            yield frame_of(str(number), lambda bgr: fit_image(cv2.cvtColor(bgr, order), wanted), reading[1])
            number += 1
    finally:
        frames.release()
    if live:
        raise EdgecnnError(_end_of_stream(name, camera, number))


def _end_of_stream(name: str, camera: bool, frames: int) -> str:
    """The error of a live source that sends no more frames."""
    if camera and not frames:
        return f"camera {name} {_NO_FRAME}"
    source, state = (f"camera {name}", "connected") if camera else (name, "there, and the network")
    return f"{source} sends no more frames after {frames:,}: is it still {state}?"


class _NewestFrame:
    """A capture that a thread reads as fast as frames arrive: `read` waits for one that it has not returned yet."""

    def __init__(self, capture: Any) -> None:
        self._capture, self._frame, self._open = capture, None, True
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while self._open:
            try:
                success, frame = self._capture.read()
            except Exception:  # OpenCV's: no more frames arrive
                success, frame = False, None
            with self._change:
                self._open = self._open and success
                self._frame = frame if success else self._frame
                self._change.notify()

    def read(self) -> tuple[bool, Any]:
        """Whether there is another frame, and the frame, as a capture's `read` does."""
        with self._change:
            self._change.wait_for(lambda: self._frame is not None or not self._open)
            frame, self._frame = self._frame, None
        return frame is not None, frame

    def release(self) -> None:
        """Release the capture; one that waits for the network is left to the end of the process."""
        self._open = False
        self._thread.join(_PATIENCE)
        if not self._thread.is_alive():
            self._capture.release()


def _opencv() -> ModuleType | Any:
    try:
        return importlib.import_module("cv2")
    except ImportError:
        cure = install("opencv-python-headless pillow", "python3-opencv python3-pil")
        raise EdgecnnError(f"videos and cameras need OpenCV, the extra 'camera': {cure}") from None
