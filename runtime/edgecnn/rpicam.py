"""The Raspberry Pi's own camera, by the program rpicam-vid (libcamera-vid on older systems): no Python package.

It writes frames as YUV420 to a pipe, one after the other, each row padded to what the board's hardware wants: 64 bytes
on a Raspberry Pi 4, 128 on a Raspberry Pi 5 and on older kernels 32. A width that is a multiple of 128 has no gap on
any of them; so that is what is asked for, and the middle of it is what was wanted.

Sources: rpicam-apps, encoder/null_encoder.cpp and output/file_output.cpp (the buffers are written as they are);
raspberrypi/linux pull request 4419; raspberrypi/picamera2 issues 1035 and 1182.
"""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections import deque

import numpy as np

from edgecnn.errors import EdgecnnError
from edgecnn.raw_picture import Layout, RawPicture
from edgecnn.rpicam_program import INSTALL, csi_reason, program

STALL = 10.0  # seconds without a byte, after which the program is ended
ALIGNMENT = 128  # bytes; see above
_LINES = 20  # of its last words
_GRACE = 2.0  # seconds between the two ways to end it


class RpicamCapture:
    """A camera that such a program reads.

    Args:
        number: of the camera, as `rpicam-hello --list-cameras` counts.
        size: width and height in pixels.
        rate: frames a second.

    Raises:
        EdgecnnError: no such program is installed.
    """

    def __init__(self, number: int, size: tuple[int, int], rate: float) -> None:
        self.name = f"camera csi:{number}" if number else "camera csi"
        path = program()
        if path is None:
            raise EdgecnnError(f"{self.name}: {INSTALL}")
        self._layout = layout_of(*size)
        self._process = subprocess.Popen(
            _words(path, number, self._layout, rate),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
        self._words: deque[str] = deque(maxlen=_LINES)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def read(self) -> RawPicture:
        """The next frame, of the size that was wanted; it waits for one.

        Raises:
            EdgecnnError: the program ended, or has sent nothing for a while.
        """
        octets = np.empty(self._layout.size, np.uint8)
        view, filled = memoryview(octets.data), 0
        deadline = time.monotonic() + STALL
        pipe = self._process.stdout.fileno()  # type: ignore[union-attr]
        while filled < len(view):
            ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise EdgecnnError(f"{self.name} has sent nothing for {STALL:.0f} s: is its cable firm at both ends?")
            count = os.readv(pipe, [view[filled:]])
            if not count:
                raise EdgecnnError(self._end())
            filled, deadline = filled + count, time.monotonic() + STALL
        return RawPicture(octets, self._layout)

    def stop(self) -> None:
        """End the program: a `read` then fails at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """End the program, and wait for its end."""
        self.stop()
        self._process.stdout.close()  # type: ignore[union-attr]  # it may wait for a reader
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join(_GRACE)
        self._process.stderr.close()  # type: ignore[union-attr]

    def _listen(self) -> None:
        """Keep its last words, which else fill their pipe."""
        for line in self._process.stderr:  # type: ignore[union-attr]
            self._words.append(line.decode(errors="replace").strip())

    def _end(self) -> str:
        """Why the program ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        self._listener.join(_GRACE)
        return f"{self.name}: {csi_reason(list(self._words), self._process.returncode)}"


def layout_of(width: int, height: int) -> Layout:
    """How the frames of such a program lie when they are asked for so that their rows have no gap."""
    if height % 2:
        raise EdgecnnError(f"a CSI camera's height is even: give {width}x{height + 1}")
    row = -(-width // ALIGNMENT) * ALIGNMENT
    return Layout("yuv420", width, height, row, (row - width) // 4 * 2)


def _words(path: str, number: int, layout: Layout, rate: float) -> list[str]:
    """The command: without an end, a window, or words about each frame."""
    camera = ["--camera", str(number), "--width", str(layout.row), "--height", str(layout.height)]
    output = ["--framerate", f"{rate:g}", "--codec", "yuv420", "--flush", "--output", "-"]
    return [path, "--timeout", "0", "--nopreview", "--verbose", "0", *camera, *output]
