"""Names of cameras and streams (`auto`, `csi:1`, `0`, `/dev/video0`, `rtsp://...`), and of layouts of pixels."""

import re

WIDTHS = {"grey": 1, "rgb": 3, "bgr": 3, "yuv420": 1, "nv12": 1}  # bytes a pixel in the first plane, by layout
AUTO, DEVICE = "auto", "/dev/video"
_CSI = re.compile(r"csi(:\d{1,3})?", re.ASCII)


def is_live(source: str) -> bool:
    """Whether a source is a camera, or a stream or file of the network."""
    return source == AUTO or is_csi(source) or is_camera(source) or is_url(source)


def is_camera(source: str) -> bool:
    """Whether a source is a USB camera's number or device."""
    return source.removeprefix(DEVICE).isdecimal()


def is_url(source: str) -> bool:
    """Whether a source is a stream or file of the network."""
    return "://" in source


def is_csi(source: str) -> bool:
    """Whether a source is a camera at the board's ribbon cable."""
    return bool(_CSI.fullmatch(source))


def without_password(source: str) -> str:
    """A source without the user and the password of a URL."""
    return re.sub("//[^/@]*@", "//", source)


def shown_name(source: str) -> str:
    """A source as logs may show it: without a password."""
    name = without_password(source)
    return name if is_url(source) else f"camera {name}"
