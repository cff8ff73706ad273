"""What `watch` and its kin look at, by its name: frames of a folder, a video, a camera, a stream, or stdin."""

import sys
from collections.abc import Iterator
from pathlib import Path

from edgecnn.capture import RATE, SIZE, open_capture
from edgecnn.command import tell
from edgecnn.errors import EdgecnnError
from edgecnn.frames import Frame, awaited, folder_frames, model_layout, raw_frames
from edgecnn.live import Live
from edgecnn.manifest import Input
from edgecnn.raw_picture import Layout
from edgecnn.source_names import AUTO, is_csi, is_live, is_url

_SLOWEST = 5.0  # frames a second that a camera is asked for at least: an older frame is no news


def open_frames(
    name: str,
    wanted: Input,
    size: tuple[int, int] | None = None,
    new_only: bool = False,
    fps: float | None = None,
    pixels: str | None = None,
    stride: int | None = None,
) -> Iterator[Frame]:
    """The frames of a source.

    Args:
        name: a folder, a video, `csi`, `auto`, a USB camera's number or device, a URL, or - for stdin.
        wanted: the model's input.
        size: width and height of raw frames on stdin, or that a CSI camera is asked for.
        new_only: leave out what a folder holds already.
        fps: how many frames a second will be looked at.
        pixels: the layout of raw frames on stdin, one of `edgecnn.raw_picture.WIDTHS`.
        stride: bytes from row to row of raw frames on stdin.

    Raises:
        EdgecnnError: there is no such source, or it does not go with the options.
    """
    source = Path(name)
    if new_only and not source.is_dir():
        raise EdgecnnError("--new-only is for a folder: leave it out")
    if name == "-":
        return raw_frames(sys.stdin.buffer, wanted, _layout(wanted, size, pixels, stride))
    if pixels or stride:
        raise EdgecnnError("--pixels and --stride are for raw frames on stdin (-): leave them out")
    if size and not (name == AUTO or is_csi(name)):
        raise EdgecnnError("--size is for raw frames on stdin, and for CSI cameras: leave it out")
    if is_live(name):
        return _live_frames(name, wanted, size or SIZE, min(RATE, max(fps or RATE, _SLOWEST)))
    if source.is_dir():
        return _folder_frames(source, wanted, new_only)
    if not source.exists():
        raise EdgecnnError(f"{source} does not exist: name a folder, a video, a camera (csi, auto, 0) or -")
    if source.is_fifo():  # which OpenCV waits for, and Ctrl-C with it
        raise EdgecnnError(f"{source} is a pipe: send raw frames to stdin (edgecnn watch - < {source})")
    return _video_frames(name, wanted)


def _layout(wanted: Input, size: tuple[int, int] | None, pixels: str | None, stride: int | None) -> Layout | None:
    """The layout of raw frames; None if they are as the model takes them."""
    own = model_layout(wanted)
    if not (size or pixels or stride):
        return None
    width, height = size or (own.width, own.height)
    return Layout(pixels or own.pixels, width, height, stride or 0)


def _folder_frames(folder: Path, wanted: Input, new_only: bool) -> Iterator[Frame]:
    waiting = awaited(folder, new_only)
    if waiting:
        tell(waiting)
    return folder_frames(folder, wanted, new_only)


def _video_frames(name: str, wanted: Input) -> Iterator[Frame]:
    from edgecnn.video import VideoCapture, video_frames  # OpenCV, which others do not wait for

    return video_frames(VideoCapture(name), wanted)


def _live_frames(name: str, wanted: Input, size: tuple[int, int], rate: float) -> Iterator[Frame]:
    """The newest frames of a camera or stream; all frames of a video file that the network has."""
    capture = open_capture(name, size, rate)
    if is_url(name) and capture.is_file:  # type: ignore[attr-defined]
        from edgecnn.video import video_frames

        yield from video_frames(capture, wanted)  # type: ignore[arg-type]
        return
    with Live(name, size, rate, tell, capture) as live:
        before = 0
        for shot in live.shots():
            yield shot.frame(wanted, live.dropped - before)
            before = live.dropped
