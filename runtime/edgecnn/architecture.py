"""Which machine this Python was built for; the same rule wherever wheels or libraries are chosen by it."""

import platform
import struct


def machine() -> str:
    """As `platform.machine()`, but 32-bit Python on a 64-bit kernel, as on Raspberry Pi OS, is armv7l (or i686)."""
    kernel = platform.machine()
    narrow = struct.calcsize("P") == 4
    return {"aarch64": "armv7l", "armv8l": "armv7l", "x86_64": "i686"}.get(kernel, kernel) if narrow else kernel
