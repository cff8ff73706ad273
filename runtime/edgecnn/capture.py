"""A camera or a stream, opened by its name: one row of `_KINDS` for each kind of name.

A capture is read by one thread; `read` waits for the next frame.
"""

from collections.abc import Callable
from typing import Protocol

from edgecnn.errors import EdgecnnError
from edgecnn.raw_picture import RawPicture
from edgecnn.source_names import AUTO, is_camera, is_csi, is_url

SIZE, RATE = (640, 480), 30.0  # pixels, and frames a second, that a camera is asked for


class Capture(Protocol):
    """An open camera or stream."""

    def read(self) -> RawPicture:
        """The next frame.

        Raises:
            EdgecnnError: there is none any more; the line says why.
        """

    def stop(self) -> None:
        """Make a `read` of another thread end soon, where that is possible."""

    def close(self) -> None:
        """Release it; the thread that reads calls this."""


def open_capture(source: str, size: tuple[int, int] = SIZE, rate: float = RATE) -> Capture:
    """Open a source.

    Args:
        source: `auto`, `csi`, `csi:N`, a USB camera's number or device, or a URL.
        size: width and height in pixels that a CSI camera is asked for.
        rate: frames a second that a CSI camera is asked for.

    Raises:
        EdgecnnError: it cannot be opened; the line says why, and what to do.
    """
    for fits, opener in _KINDS:
        if fits(source):
            return opener(source, size, rate)
    raise EdgecnnError(f"{source} is no camera: give csi, auto, a USB camera's number (0) or a URL")


def _usb(source: str, size: tuple[int, int], rate: float) -> Capture:
    from edgecnn.video import VideoCapture  # OpenCV, which others do not wait for

    return VideoCapture(source)


def _csi(source: str, size: tuple[int, int], rate: float) -> Capture:
    from edgecnn.picamera import PicameraCapture, has_picamera2
    from edgecnn.rpicam import RpicamCapture
    from edgecnn.rpicam_program import program

    kind = PicameraCapture if program() is None and has_picamera2() else RpicamCapture
    return kind(int(source.partition(":")[2] or 0), size, rate)


def _auto(source: str, size: tuple[int, int], rate: float) -> Capture:
    from edgecnn.cameras import present

    return open_capture(present(), size, rate)


_KINDS: tuple[tuple[Callable[[str], bool], Callable[[str, tuple[int, int], float], Capture]], ...] = (
    (AUTO.__eq__, _auto),
    (is_csi, _csi),
    (is_camera, _usb),
    (is_url, _usb),
)
