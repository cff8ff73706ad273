"""The memory of this process."""

import re
from pathlib import Path


def memory_mb(entry: str = "VmRSS") -> float | None:
    """MB of a million bytes: resident now (VmRSS), or at most so far (VmHWM); None if the system does not report it."""
    status = Path("/proc/self/status")
    match = re.search(rf"^{entry}:\s*(\d+) kB", status.read_text(), re.MULTILINE) if status.exists() else None
    return round(int(match[1]) * 1024 / 1e6, 1) if match else None
