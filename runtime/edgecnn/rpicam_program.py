"""The program that reads the Raspberry Pi's own camera, and what its last words mean."""

import shutil
from collections.abc import Sequence

PROGRAMS = ("rpicam-vid", "libcamera-vid")

INSTALL = "it needs rpicam-vid: sudo apt install rpicam-apps-lite (on Debian 11: libcamera-apps-lite)"
GROUP = "you are not in the group video: sudo usermod -aG video $USER, then log in again"
CABLE = (
    "no camera answers: switch the board off and push the cable home at both ends, its contacts towards the board's;"
    " then see that /boot/firmware/config.txt has camera_auto_detect=1"
)
_BUSY = "another process holds it: end that (ps -C rpicam-vid,rpicam-hello,rpicam-still,motion,python3)"
_REASONS = (  # parts of its last words. Source: rpicam-apps, core/rpicam_app.cpp
    ("no cameras available", CABLE),
    ("No cameras available", CABLE),
    ("selected camera is not available", "is not there: rpicam-hello --list-cameras shows the numbers, from 0 on"),
    ("failed to acquire camera", _BUSY),
    ("in use by another process", _BUSY),
    ("Device or resource busy", _BUSY),
    (
        "legacy camera stack",
        "the legacy camera stack is on: sudo raspi-config, Interface Options, switch it off, reboot",
    ),
    ("only supports the Raspberry Pi", "rpicam-apps does not know this board: use a USB camera"),
    ("Permission denied", GROUP),
)


def program() -> str | None:
    """The path of the program; None if neither is installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def csi_reason(words: Sequence[str], status: int) -> str:
    """Why rpicam-vid ended, and what to do, by its last words and its exit status."""
    for part, reason in _REASONS:
        if any(part in line for line in words):
            return reason
    return f"ended ({words[-1] if words else f'status {status}'}): see edgecnn doctor"
