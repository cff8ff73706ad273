"""The machine that this runs on: board, CPU, memory, system, and whether something holds it back.

Everything is read from files of Linux (and once from the tool `vcgencmd`); what a machine does not report is None.
"""

import os
import platform
import re
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from edgecnn.architecture import machine
from edgecnn.clock import Throttling, clock, low_voltage, throttling
from edgecnn.cpu import cores, cpu_features, cpu_name
from edgecnn.system_files import entry_of, text_of

DEBIANS = "armv7l"  # the machine for which pip's index has no wheels of numpy, Pillow or OpenCV, but Debian has them
_BOARD_FILES = ("proc/device-tree/model", "sys/firmware/devicetree/base/model", "sys/class/dmi/id/product_name")


@dataclass(frozen=True)
class Device:
    """A machine; None for what it does not report."""

    board: str | None
    cpu: str
    features: tuple[str, ...]
    cores: int  # that this process may use
    memory_mb: int | None
    free_mb: int | None
    system: str
    platform: str  # linux, darwin or win32
    machine: str  # that this Python was built for: x86_64, aarch64, armv7l, ...
    python: str
    libc: tuple[str, str]  # name and version
    governor: str | None
    mhz: tuple[int, int] | None  # of the fastest core: now, and at most
    celsius: float | None
    throttling: Throttling | None
    low_voltage: bool | None  # the power supply, by the board's own alarm


def identify() -> dict[str, str]:
    """What makes this machine the one it is, for as long as nobody changes its CPU or its Python.

    Neither the cores that this process is held to (see `cores`) nor a patch of Python make it another one.
    """
    cpuinfo = text_of(Path("/proc/cpuinfo")) or ""
    return {
        "board": _board(Path("/"), cpuinfo) or "",
        "cpu": cpu_name(cpuinfo),
        "cores": str(os.cpu_count()),
        "machine": machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def describe(root: Path = Path("/")) -> Device:
    """Describe this machine; with another `root`, the machine whose files are there."""
    cpuinfo = text_of(root / "proc/cpuinfo") or ""
    now = clock(root)
    return Device(
        board=_board(root, cpuinfo),
        cpu=cpu_name(cpuinfo),
        features=cpu_features(cpuinfo),
        cores=cores(),
        memory_mb=_memory(root, "MemTotal"),
        free_mb=_memory(root, "MemAvailable"),
        system=_system(root),
        platform=sys.platform,
        machine=machine(),
        python=platform.python_version(),
        libc=_libc(),
        governor=now.governor,
        mhz=now.mhz,
        celsius=now.celsius,
        throttling=throttling(root),
        low_voltage=low_voltage(root),
    )


def install(pip: str, apt: str) -> str:
    """The command that brings packages to a machine like this one: by their names in pip's index, or in Debian."""
    return f"sudo apt install {apt}" if machine() == DEBIANS else f"pip install {pip}"


def _board(root: Path, cpuinfo: str) -> str | None:
    names = map(text_of, (root / name for name in _BOARD_FILES))
    return next((name for name in names if name), None) or entry_of(cpuinfo, "Model")


def _memory(root: Path, entry: str) -> int | None:
    kilobytes = entry_of(text_of(root / "proc/meminfo") or "", entry)
    return int(kilobytes.split()[0]) // 1024 if kilobytes else None


def _system(root: Path) -> str:
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', text_of(root / "etc/os-release") or "", re.MULTILINE)
    return f"{name[1]}, {platform.system()} {platform.release()}" if name else platform.platform()


def _libc() -> tuple[str, str]:
    if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
        return "musl", ""
    return platform.libc_ver()
