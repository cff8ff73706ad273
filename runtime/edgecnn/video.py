"""Videos, USB cameras and streams from the network, by OpenCV: the extra `camera`."""

import importlib
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from edgecnn.device import install
from edgecnn.errors import EdgecnnError
from edgecnn.frames import Frame, fitted_frame
from edgecnn.manifest import Input
from edgecnn.raw_picture import Layout, RawPicture
from edgecnn.source_names import DEVICE, is_camera, is_url, shown_name

_SILENT = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}  # it reports every back end that it tries


class VideoCapture:
    """A USB camera by its number or device, a stream by its URL, or a video file.

    Raises:
        EdgecnnError: OpenCV is not installed, or the source cannot be opened.
    """

    def __init__(self, source: str) -> None:
        cv2 = _opencv()
        self._camera, self.name, self._frames = is_camera(source), shown_name(source), 0
        self._capture = cv2.VideoCapture(int(source.removeprefix(DEVICE)) if self._camera else source)
        if not self._capture.isOpened():
            self._capture.release()
            raise EdgecnnError(_unopened(source, self._camera, self.name))
        self.is_file = not self._camera and (not is_url(source) or self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0)

    def read(self) -> RawPicture:
        """The next frame; it waits for one.

        Raises:
            EdgecnnError: there is none any more.
        """
        pixels = self._next()
        if pixels is None:
            raise EdgecnnError(_end_of_stream(self.name, self._camera, self._frames))
        self._frames += 1
        return picture_of(pixels)

    def pictures(self) -> Iterator[RawPicture]:
        """All frames of a video file."""
        try:
            while (pixels := self._next()) is not None:
                yield picture_of(pixels)
        finally:
            self.close()

    def stop(self) -> None:
        """Do nothing: OpenCV waits for its frame, or for the end of its patience."""

    def close(self) -> None:
        """Release the source."""
        self._capture.release()

    def _next(self) -> Any:
        """The next frame as OpenCV has it; None at the end."""
        try:
            success, pixels = self._capture.read()
        except Exception:  # OpenCV's: no more frames arrive
            return None
        return pixels if success else None


def picture_of(pixels: Any) -> RawPicture:
    """The picture of OpenCV's pixels: uint8, (height, width, 3), blue, green, red; or (height, width)."""
    height, width = pixels.shape[:2]
    return RawPicture(pixels.reshape(-1), Layout("bgr" if pixels.ndim == 3 else "grey", width, height))


def video_frames(capture: VideoCapture, wanted: Input) -> Iterator[Frame]:
    """All frames of a video file."""
    for number, picture in enumerate(capture.pictures()):
        yield fitted_frame(str(number), picture, wanted)


def _unopened(source: str, camera: bool, name: str) -> str:
    if not camera:
        return f"cannot open {name} as a video"
    from edgecnn.cameras import usb_reason

    return f"cannot open {name}: {usb_reason(int(source.removeprefix(DEVICE)))}"


def _end_of_stream(name: str, camera: bool, frames: int) -> str:
    """The line of a live source that sends no more frames."""
    if camera and not frames:
        return f"{name} opens and sends no frame: name the Raspberry Pi's own camera csi; or see edgecnn doctor"
    state = "connected" if camera else "there, and the network"
    return f"{name} sends no more frames after {frames:,}: is it still {state}?"


def _opencv() -> ModuleType | Any:
    for name, level in _SILENT.items():
        os.environ.setdefault(name, level)
    try:
        return importlib.import_module("cv2")
    except ImportError:
        cure = install("opencv-python-headless pillow", "python3-opencv python3-pil")
        raise EdgecnnError(f"videos and USB cameras need OpenCV, the extra 'camera': {cure}") from None
