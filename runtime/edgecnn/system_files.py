"""Files in which Linux describes the machine."""

import re
from pathlib import Path


def text_of(path: Path) -> str | None:
    """The text of a file without what surrounds it; None if there is none."""
    try:
        return path.read_bytes().decode(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def number_of(path: Path) -> int | None:
    """The whole number that a file holds."""
    text = text_of(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def entry_of(text: str, name: str) -> str | None:
    """The value of an entry `name: value`, as in /proc/cpuinfo."""
    match = re.search(rf"^{name}\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else None
