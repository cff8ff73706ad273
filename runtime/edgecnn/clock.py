"""How fast the CPU runs, what holds it back, and what its cores do: all that changes while the machine works."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgecnn.system_files import number_of, text_of

# Bits of the firmware's number; the same, 16 higher, since boot. Source: Raspberry Pi, documentation of `vcgencmd`.
_THROTTLING = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_SINCE_BOOT = 16
_FIRMWARE = "sys/devices/platform/soc/soc:firmware/get_throttled"
_TICKS = 100  # a second, in /proc/stat: USER_HZ, on every architecture that Linux has today


@dataclass(frozen=True)
class Throttling:
    """What holds the CPU back, now and since boot; empty if nothing does."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


@dataclass(frozen=True)
class Clock:
    """How fast the CPU may go, and goes."""

    governor: str | None
    mhz: tuple[int, int] | None  # of the fastest core: now, and at most
    celsius: float | None
    held_back: tuple[str, ...]  # by what, now


@dataclass(frozen=True)
class Ticks:
    """The time of all cores since boot, in seconds of one core."""

    idle: float
    busy: float
    steal: float  # other guests of the host had it

    @property
    def total(self) -> float:
        """All of them."""
        return self.idle + self.busy + self.steal


def clock(root: Path = Path("/")) -> Clock:
    """Read the clock; with another `root`, from the files of another machine."""
    cpus = root / "sys/devices/system/cpu"
    held_back = throttling(root)
    return Clock(
        governor=text_of(cpus / "cpu0/cpufreq/scaling_governor"),
        mhz=max(filter(None, map(_mhz, cpus.glob("cpu[0-9]*"))), default=None),
        celsius=_celsius(root),
        held_back=held_back.now if held_back else (),
    )


def cpu_ticks(root: Path = Path("/")) -> Ticks | None:
    """The time of all cores since boot; None if the system does not report it."""
    first = (text_of(root / "proc/stat") or "").split("\n", 1)[0].split()
    if first[:1] != ["cpu"]:
        return None
    user, nice, system, idle, waiting, irq, softirq, steal = (int(count) / _TICKS for count in first[1:9])
    return Ticks(idle + waiting, user + nice + system + irq + softirq, steal)


def throttling(root: Path = Path("/")) -> Throttling | None:
    """From the Raspberry Pi's firmware; elsewhere from the kernel's count of throttled moments since boot."""
    bits = _firmware_bits(root)
    if bits is not None:
        now = [name for number, name in enumerate(_THROTTLING) if bits >> number & 1]
        since_boot = [name for number, name in enumerate(_THROTTLING) if bits >> number + _SINCE_BOOT & 1]
        return Throttling(tuple(now), tuple(since_boot))
    count = number_of(root / "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count")
    return None if count is None else Throttling((), (f"throttled {count} times",) if count else ())


def low_voltage(root: Path = Path("/")) -> bool | None:
    """Whether the board's own alarm calls the power supply too weak; None if it has none."""
    for sensor in (root / "sys/class/hwmon").glob("hwmon*"):
        if text_of(sensor / "name") == "rpi_volt":
            return number_of(sensor / "in0_lcrit_alarm") == 1
    return None


def _mhz(cpu: Path) -> tuple[int, int] | None:
    now, most = (number_of(cpu / "cpufreq" / name) for name in ("scaling_cur_freq", "cpuinfo_max_freq"))
    return (now // 1000, most // 1000) if now and most else None


def _celsius(root: Path) -> float | None:
    """The CPU's temperature: of the first thermal zone whose type names the CPU, else of the first zone."""
    zones = sorted((root / "sys/class/thermal").glob("thermal_zone*"))
    zones.sort(key=lambda zone: "cpu" not in (text_of(zone / "type") or ""))
    return next((value / 1000 for value in (number_of(zone / "temp") for zone in zones) if value is not None), None)


def _firmware_bits(root: Path) -> int | None:
    text = text_of(root / _FIRMWARE)
    tool = shutil.which("vcgencmd")
    if text is None and tool and root == Path("/"):
        text = subprocess.run([tool, "get_throttled"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"(?:0x)?([0-9a-fA-F]+)\s*$", text or "")
    return int(match[1], 16) if match else None
