"""The machine that this runs on: board, CPU, memory, system, and whether it is being held back.

Everything is read from files of Linux (and once from the tool `vcgencmd`); what a machine does not tell is None.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from edgecnn.architecture import machine

# Features that matter to quantized kernels, by the flag in /proc/cpuinfo.
_FEATURES = {
    "neon": "NEON",
    "asimd": "NEON",
    "asimdhp": "fp16",
    "asimddp": "dot product",
    "i8mm": "i8mm",
    "sve": "SVE",
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512 VNNI",
    "avx_vnni": "AVX-VNNI",
    "amx_int8": "AMX int8",
}
# Arm's own cores, by "CPU part". Source: Arm, the MIDR_EL1 register of each core's technical reference manual.
_ARM_CORES = {
    0xB76: "ARM1176",
    0xC07: "Cortex-A7",
    0xC08: "Cortex-A8",
    0xC09: "Cortex-A9",
    0xC0F: "Cortex-A15",
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD40: "Neoverse-V1",
    0xD41: "Cortex-A78",
    0xD49: "Neoverse-N2",
}
# Bits of the firmware's answer; the same, 16 higher, since boot. Source: Raspberry Pi, documentation of `vcgencmd`.
_THROTTLING = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_SINCE_BOOT = 16
_BOARD_FILES = ("proc/device-tree/model", "sys/firmware/devicetree/base/model", "sys/class/dmi/id/product_name")
_TICKS = 100  # a second, in /proc/stat: USER_HZ, on every architecture that Linux has today
DEBIANS = "armv7l"  # the machine for which pip's index has no wheels of numpy, Pillow or OpenCV, but Debian has them
_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"


@dataclass(frozen=True)
class Throttling:
    """What holds the CPU back, now and since boot; empty where nothing does."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


@dataclass(frozen=True)
class Device:
    """What a machine says of itself; None where it does not."""

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
    cpuinfo = _text(Path("/proc/cpuinfo")) or ""
    return {
        "board": _board(Path("/"), cpuinfo) or "",
        "cpu": _cpu(cpuinfo),
        "cores": str(os.cpu_count()),
        "machine": machine(),
        "python": ".".join(platform.python_version_tuple()[:2]),
    }


def describe(root: Path = Path("/")) -> Device:
    """Look at this machine; with another `root`, at the files of another one."""
    cpuinfo = _text(root / "proc/cpuinfo") or ""
    now = clock(root)
    return Device(
        board=_board(root, cpuinfo),
        cpu=_cpu(cpuinfo),
        features=_features(cpuinfo),
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
        throttling=_throttling(root),
        low_voltage=_low_voltage(root),
    )


@dataclass(frozen=True)
class Clock:
    """How fast the CPU may go, and goes."""

    governor: str | None
    mhz: tuple[int, int] | None  # of the fastest core: now, and at most
    celsius: float | None
    held_back: tuple[str, ...]  # what does so now


@dataclass(frozen=True)
class Ticks:
    """What all cores have done since boot, in seconds of one core."""

    idle: float
    busy: float
    steal: float  # other guests of the host had it

    @property
    def total(self) -> float:
        """All of them."""
        return self.idle + self.busy + self.steal


def clock(root: Path = Path("/")) -> Clock:
    """Read what changes while the machine works; with another `root`, from the files of another one."""
    cpus = root / "sys/devices/system/cpu"
    throttling = _throttling(root)
    return Clock(
        governor=_text(cpus / "cpu0/cpufreq/scaling_governor"),
        mhz=max(filter(None, map(_mhz, cpus.glob("cpu[0-9]*"))), default=None),
        celsius=_celsius(root),
        held_back=throttling.now if throttling else (),
    )


def cpu_ticks(root: Path = Path("/")) -> Ticks | None:
    """What all cores have done since boot; None where the system does not tell."""
    first = (_text(root / "proc/stat") or "").split("\n", 1)[0].split()
    if first[:1] != ["cpu"]:
        return None
    user, nice, system, idle, waiting, irq, softirq, steal = (int(each) / _TICKS for each in first[1:9])
    return Ticks(idle + waiting, user + nice + system + irq + softirq, steal)


def _mhz(cpu: Path) -> tuple[int, int] | None:
    now, most = (_number(cpu / "cpufreq" / name) for name in ("scaling_cur_freq", "cpuinfo_max_freq"))
    return (now // 1000, most // 1000) if now and most else None


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode(errors="replace").strip("\0\n ") or None
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _entry(cpuinfo: str, name: str) -> str | None:
    found = re.search(rf"^{name}\s*:\s*(.+)$", cpuinfo, re.MULTILINE)
    return found[1].strip() if found else None


def _board(root: Path, cpuinfo: str) -> str | None:
    return next((text for text in map(_text, (root / name for name in _BOARD_FILES)) if text), None) or _entry(
        cpuinfo, "Model"
    )


def _cpu(cpuinfo: str) -> str:
    part, implementer = _entry(cpuinfo, "CPU part"), _entry(cpuinfo, "CPU implementer")
    if part and implementer and int(implementer, 0) == ord("A"):
        return _ARM_CORES.get(int(part, 0), f"Arm core {part}")
    return _entry(cpuinfo, "model name") or platform.processor() or platform.machine()


def _features(cpuinfo: str) -> tuple[str, ...]:
    flags = set((_entry(cpuinfo, "Features") or _entry(cpuinfo, "flags") or "").split())
    return tuple(dict.fromkeys(name for flag, name in _FEATURES.items() if flag in flags))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def install(pip: str, apt: str) -> str:
    """The command that brings packages to a machine like this one: by their names in pip's index, or in Debian."""
    return f"sudo apt install {apt}" if machine() == DEBIANS else f"pip install {pip}"


def _memory(root: Path, name: str) -> int | None:
    kilobytes = _entry(_text(root / "proc/meminfo") or "", name)
    return int(kilobytes.split()[0]) // 1024 if kilobytes else None


def _system(root: Path) -> str:
    name = re.search(r'^PRETTY_NAME="?([^"\n]+)', _text(root / "etc/os-release") or "", re.MULTILINE)
    return f"{name[1]}, {platform.system()} {platform.release()}" if name else platform.platform()


def _libc() -> tuple[str, str]:
    if "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or ""):
        return "musl", ""
    return platform.libc_ver()


def _celsius(root: Path) -> float | None:
    """The CPU's temperature: of the zone that says it is the CPU's, or of the first."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    zones.sort(key=lambda zone: "cpu" not in (_text(zone / "type") or ""))
    return next((value / 1000 for value in (_number(zone / "temp") for zone in zones) if value is not None), None)


def _throttling(root: Path) -> Throttling | None:
    """From the Raspberry Pi's firmware; elsewhere from the kernel's count of throttled moments since boot."""
    bits = _firmware_bits(root)
    if bits is not None:
        named = [name for number, name in enumerate(_THROTTLING) if bits >> number & 1]
        before = [name for number, name in enumerate(_THROTTLING) if bits >> number + _SINCE_BOOT & 1]
        return Throttling(tuple(named), tuple(before))
    count = _number(root / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count")
    return None if count is None else Throttling((), (f"throttled {count} times",) if count else ())


def _firmware_bits(root: Path) -> int | None:
    text = _text(root / _FIRMWARE)
    tool = shutil.which("vcgencmd")
    if text is None and tool and root == Path("/"):
        text = subprocess.run([tool, "get_throttled"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(?:0x)?([0-9a-fA-F]+)\s*$", text or "")
    return int(found[1], 16) if found else None


def _low_voltage(root: Path) -> bool | None:
    for sensor in (root / "sys/class/hwmon").glob("hwmon*"):
        if _text(sensor / "name") == "rpi_volt":
            return _number(sensor / "in0_lcrit_alarm") == 1
    return None
