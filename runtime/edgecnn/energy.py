"""The energy that the machine uses, if it has a counter of its own; never a guess.

RAPL, of Intel's and AMD's processors, counts the microjoules of each package; reading it needs root. A Raspberry Pi 5
reports the current and the voltage of its supply rails at a moment. Sources: Linux, Documentation/power/powercap;
Raspberry Pi, documentation of `vcgencmd pmic_read_adc`.
"""

import math
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

SAMPLE_SECONDS = 1.0  # between two readings of the rails
_PACKAGES = "sys/class/powercap/intel-rapl:[0-9]*"


def _pmic() -> str:
    """The report of the Raspberry Pi 5's power controller; empty elsewhere."""
    tool = shutil.which("vcgencmd")
    if not tool:
        return ""
    return subprocess.run([tool, "pmic_read_adc"], capture_output=True, text=True, check=False).stdout


class EnergyMeter:
    """Counts the machine's energy from its construction on."""

    def __init__(self, root: Path = Path("/"), pmic: Callable[[], str] = _pmic) -> None:
        self._root, self._pmic = root, pmic
        self._counters = counters(root)
        self._watts = None if self._counters else watts(pmic())
        self._joules, self._sampled = 0.0, time.perf_counter()

    def sample(self) -> None:
        """Call this now and then: rails report only the moment, and a counter may wrap more than once."""
        if time.perf_counter() - self._sampled < SAMPLE_SECONDS:
            return
        self._count()
        if self._watts is not None:
            self._watts = watts(self._pmic())

    def _count(self) -> None:
        """Add the energy since the last count."""
        now = time.perf_counter()
        if self._counters:
            counted = counters(self._root)
            self._joules += _grown(self._counters, counted)
            self._counters = counted
        elif self._watts is not None:
            self._joules += self._watts * (now - self._sampled)
        self._sampled = now

    def joules(self) -> float | None:
        """The energy so far; None if the machine does not report it, or a counter began anew."""
        if not self._counters and self._watts is None:
            return None
        self._count()
        return None if math.isnan(self._joules) else self._joules


def counters(root: Path) -> dict[str, tuple[int, int]]:
    """By package: its counter, and the value at which that begins anew, in microjoules (0 if unknown).

    Empty if there are none, or they cannot be read.
    """
    try:
        return {
            package.name: (_number(package / "energy_uj"), _range(package))
            for package in root.glob(_PACKAGES)
            if package.name.count(":") == 1
        }
    except (OSError, ValueError):
        return {}


def _range(package: Path) -> int:
    path = package / "max_energy_range_uj"
    return _number(path) if path.exists() else 0


def _number(path: Path) -> int:
    return int(path.read_text())


def _grown(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> float:
    """Joules between two readings of the same counters; NaN if one is gone, or fell and its range is unknown."""
    if before.keys() != after.keys():
        return math.nan
    steps = [now - before[name][0] + (span if now < before[name][0] else 0) for name, (now, span) in after.items()]
    return math.nan if min(steps) < 0 else sum(steps) / 1e6


def watts(report: str) -> float | None:
    """The power of all rails: the sum of current times voltage; None if no rail reports both."""
    amperes, volts = (dict(re.findall(rf"(\w+)_{unit}\s+\w+\(\d+\)=([\d.]+){unit}", report)) for unit in "AV")
    powers = [float(amperes[rail]) * float(volts[rail]) for rail in amperes if rail in volts]
    return sum(powers) if powers else None
