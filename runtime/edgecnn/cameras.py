"""The cameras of this machine, and why one cannot be used."""

from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.rpicam import program


def present() -> str:
    """The source that `auto` stands for: a CSI camera where there is one, else the first USB camera.

    Raises:
        EdgecnnError: there is none.
    """
    if program():
        return "csi"
    numbers = [int(path.name.removeprefix("video")) for path in Path("/dev").glob("video[0-9]*")]
    if not numbers:
        raise EdgecnnError("no camera is there: connect one, and see edgecnn doctor")
    return str(min(numbers))


def usb_reason(number: int) -> str:
    """Why a USB camera cannot be opened."""
    return "is it connected, and are you in the group video?"
