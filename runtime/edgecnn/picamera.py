"""The Raspberry Pi's own camera by picamera2, where there is no rpicam-vid: Debian's python3-picamera2.

Sources: The Picamera2 Library, 4.2 and appendix A; picamera2's capture_array gives a YUV420 buffer as the rows of its
stride, the two planes of colour two rows in one.
"""

import contextlib
import importlib
import importlib.util

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.raw_picture import Layout, RawPicture


def has_picamera2() -> bool:
    """Whether picamera2 can be imported: mostly in an environment that sees the system's packages."""
    return importlib.util.find_spec("picamera2") is not None


class PicameraCapture:
    """A camera that picamera2 reads.

    Raises:
        EdgecnnError: it cannot be opened.
    """

    def __init__(self, number: int, size: tuple[int, int], rate: float) -> None:
        self.name, self._size = f"camera csi:{number}" if number else "camera csi", size
        try:
            module = importlib.import_module("picamera2")
            colours = importlib.import_module("libcamera").ColorSpace.Sycc()
            self._camera = module.Picamera2(number)
            main = {"size": size, "format": "YUV420"}
            self._camera.configure(
                self._camera.create_video_configuration(main=main, colour_space=colours, controls={"FrameRate": rate})
            )
            self._camera.start()
        except Exception as error:  # whatever libcamera raises
            raise EdgecnnError(f"{self.name} cannot be opened ({error}): see edgecnn doctor") from None

    def read(self) -> RawPicture:
        """The next frame; it waits for one.

        Raises:
            EdgecnnError: there is none any more.
        """
        try:
            rows = self._camera.capture_array("main")
        except Exception as error:
            raise EdgecnnError(f"{self.name} sends no more frames ({error})") from None
        return RawPicture(np.ascontiguousarray(rows).reshape(-1), Layout("yuv420", *self._size, rows.shape[1]))

    def stop(self) -> None:
        """Do nothing: a frame comes soon."""

    def close(self) -> None:
        """Release the camera."""
        with contextlib.suppress(Exception):  # it may be gone
            self._camera.close()
