"""The cameras of this machine, and why one cannot be used.

Sources: the Linux kernel's V4L2, VIDIOC_QUERYCAP; rpicam-apps, core/options.cpp (`--list-cameras`) and
core/rpicam_app.cpp (its errors).
"""

import contextlib
import errno
import importlib.util
import os
import re
import struct
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgecnn.device import install
from edgecnn.errors import EdgecnnError
from edgecnn.rpicam_program import CABLE, GROUP, INSTALL, csi_reason, program
from edgecnn.system_files import text_of

_QUERY, _CAPABILITY = 0x80685600, struct.Struct("16s32s32sIII12x")  # VIDIOC_QUERYCAP, struct v4l2_capability
_CAPTURES, _HAS_OWN = 0x1, 0x80000000  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_DEVICE_CAPS
# Drivers of a Raspberry Pi's own camera and of its helpers, which OpenCV does not read: they are csi.
_BOARD = {"unicam", "rp1-cfe", "bcm2835-isp", "bcm2835-codec", "pispbe", "rpi-hevc-dec", "rpivid"}
_LEGACY = "bm2835 mmal"
_LISTED = re.compile(r"^(\d+) : (.+?) \[", re.MULTILINE)
_LISTING = {"wireplumber", "pipewire"}  # have cameras open without using them
_SECONDS = 15  # for the program to list cameras


@dataclass(frozen=True)
class Camera:
    """A camera; `reason` says why it cannot be used, and what to do; None if it can."""

    source: str  # as `edgecnn watch` takes it
    name: str
    reason: str | None = None


def cameras(board: str | None = None) -> list[Camera]:
    """The cameras that are here, those at the board's ribbon cable first.

    Args:
        board: the name of the board: a Raspberry Pi gets a line also when no camera answers.
    """
    return [*csi_cameras(board), *usb_cameras()]


def present() -> str:
    """The source that `auto` stands for: the first CSI camera that can be used, else the first USB camera.

    Raises:
        EdgecnnError: there is none; the line says why.
    """
    found = cameras()
    usable = next((camera.source for camera in found if not camera.reason), None)
    if usable is None:
        reasons = "; ".join(f"{camera.source}: {camera.reason}" for camera in found)
        raise EdgecnnError(f"no camera can be used ({reasons or 'none is there'}): connect one, and see edgecnn doctor")
    return usable


def csi_cameras(board: str | None) -> list[Camera]:
    """The cameras that libcamera lists."""
    path, is_pi = program(), "Raspberry Pi" in (board or "")
    if path is None:
        own = importlib.util.find_spec("picamera2")
        return [Camera("csi", "Raspberry Pi camera", None if own else INSTALL)] if is_pi or own else []
    try:
        ended = subprocess.run(
            [path, "--list-cameras"], capture_output=True, text=True, errors="replace", check=False, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return [Camera("csi", "Raspberry Pi camera", f"{path} --list-cameras does not answer ({error})")]
    names = _LISTED.findall(ended.stdout + ended.stderr)
    if not names and is_pi:
        return [Camera("csi", "Raspberry Pi camera", _unseen(ended.stderr.splitlines(), ended.returncode))]
    busy = locked(Path("/dev").glob("media*"))
    return [Camera(f"csi:{number}" if int(number) else "csi", name, busy) for number, name in names]


def _unseen(words: Sequence[str], status: int) -> str:
    """Why libcamera lists no camera."""
    nodes = sorted(Path("/dev").glob("media*"))
    if nodes and not any(os.access(node, os.R_OK | os.W_OK) for node in nodes):
        return GROUP
    return csi_reason(words, status) if status else CABLE


def usb_cameras(folder: Path = Path("/dev")) -> list[Camera]:
    """The cameras that OpenCV reads."""
    nodes = sorted(folder.glob("video[0-9]*"), key=lambda node: (len(node.name), node.name))
    return [camera for node in nodes if (camera := _usb_camera(node))]


def _usb_camera(node: Path) -> Camera | None:
    """The camera behind a node; None if it is none, or the board's own."""
    try:
        capability = _capability(node)
    except OSError as error:
        return None if error.errno in (errno.ENOTTY, errno.EINVAL) else Camera(str(node), node.name, _closed(error))
    return camera_of(str(node), capability, held(node.name))


def _capability(node: Path) -> bytes:
    import fcntl

    descriptor = os.open(node, os.O_RDWR | os.O_NONBLOCK)
    try:
        return fcntl.ioctl(descriptor, _QUERY, bytes(_CAPABILITY.size))
    finally:
        os.close(descriptor)


def camera_of(source: str, capability: bytes, busy: str | None = None) -> Camera | None:
    """The camera that a `struct v4l2_capability` describes; None if it takes no pictures or is the board's own."""
    driver, card, _, _, whole, own = _CAPABILITY.unpack(capability)
    driver_name, name = (text.split(b"\0")[0].decode(errors="replace") for text in (driver, card))
    if driver_name in _BOARD or not (own if whole & _HAS_OWN else whole) & _CAPTURES:
        return None
    if driver_name.startswith(_LEGACY):
        return Camera(source, name, csi_reason(["legacy camera stack"], 0))
    return Camera(source, name, busy or (None if importlib.util.find_spec("cv2") else _opencv()))


def _opencv() -> str:
    return f"it is read by OpenCV: {install('opencv-python-headless pillow', 'python3-opencv python3-pil')}"


def usb_reason(number: int) -> str:
    """Why a USB camera cannot be opened."""
    node = Path(f"/dev/video{number}")
    try:
        camera = camera_of(str(node), _capability(node), held(node.name))
    except OSError as error:
        return _closed(error)
    if camera is None:
        return "it takes no pictures: the Raspberry Pi's own camera is csi; edgecnn doctor lists all"
    return camera.reason or "is it connected?"


def _closed(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return GROUP
    if error.errno == errno.EBUSY:
        return "another process holds it: end that"
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return "is it connected? edgecnn doctor lists the cameras that are"
    return f"{error.strerror}; is it connected?"


def held(name: str, processes: Path = Path("/proc")) -> str | None:
    """Which other process has a device open, in words; None if none that we see, or one that only lists cameras."""
    for folder in sorted(processes.glob("[0-9]*")):
        if int(folder.name) != os.getpid() and f"/dev/{name}" in _open_files(folder):
            words = _holder(int(folder.name), processes)
            if words.split()[0] not in _LISTING:
                return words
    return None


def locked(nodes: Iterable[Path], processes: Path = Path("/proc")) -> str | None:
    """Which process uses one of the board's cameras: libcamera locks the media device of a camera in use."""
    numbers = {node.stat().st_ino for node in nodes}
    for line in (text_of(processes / "locks") or "").splitlines():
        fields = line.split()  # 1: POSIX ADVISORY WRITE 1234 00:06:99 0 EOF
        if len(fields) > 5 and int(fields[5].rpartition(":")[2]) in numbers:
            return _holder(int(fields[4]), processes)
    return None


def _holder(process: int, processes: Path) -> str:
    name = text_of(processes / str(process) / "comm") or "another process"
    return f"{name} holds it: end that (kill {process})"


def _open_files(process: Path) -> Iterable[str]:
    with contextlib.suppress(OSError):  # of another user, or gone
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())
