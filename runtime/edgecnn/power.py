"""The energy that the machine takes, where it has a counter of its own; never guessed.

RAPL, of Intel's and AMD's processors, counts the microjoules of each package; reading it needs root. A Raspberry Pi 5
tells the current and the voltage of each of its supply rails at a moment. Sources: Linux, Documentation/power/powercap;
Raspberry Pi, documentation of `vcgencmd pmic_read_adc`.
"""

import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

SAMPLE_SECONDS = 1.0  # between two looks at the rails
_PACKAGES = "sys/class/powercap/intel-rapl:[0-9]*"


def _pmic() -> str:
    """What the Raspberry Pi 5's power controller says; nothing elsewhere."""
    tool = shutil.which("vcgencmd")
    if not tool:
        return ""
    return subprocess.run([tool, "pmic_read_adc"], capture_output=True, text=True, check=False).stdout


class Meter:
    """Counts the machine's energy from its making on."""

    def __init__(self, root: Path = Path("/"), pmic: Callable[[], str] = _pmic) -> None:
        self._root, self._pmic = root, pmic
        self._counted = microjoules(root)
        self._watts = watts(pmic()) if self._counted is None else None
        self._joules, self._sampled = 0.0, time.perf_counter()

    def sample(self) -> None:
        """Call this now and then: rails tell only of the moment."""
        now = time.perf_counter()
        if self._watts is not None and now - self._sampled >= SAMPLE_SECONDS:
            self._joules += self._watts * (now - self._sampled)
            self._watts, self._sampled = watts(self._pmic()), now

    def joules(self) -> float | None:
        """Since the making; None where the machine does not tell, or its counter began anew."""
        if self._counted is not None:
            counted = microjoules(self._root)
            return None if counted is None or counted < self._counted else (counted - self._counted) / 1e6
        return None if self._watts is None else self._joules + self._watts * (time.perf_counter() - self._sampled)


def microjoules(root: Path) -> int | None:
    """What the packages' counters stand at; None where there are none, or they are not to be read."""
    packages = [each for each in root.glob(_PACKAGES) if each.name.count(":") == 1]
    try:
        return sum(int((each / "energy_uj").read_text()) for each in packages) if packages else None
    except (OSError, ValueError):
        return None


def watts(said: str) -> float | None:
    """The power of all rails: current times voltage of each that tells both; None where none does."""
    amperes, volts = (dict(re.findall(rf"(\w+)_{unit}\s+\w+\(\d+\)=([\d.]+){unit}", said)) for unit in "AV")
    powers = [float(amperes[rail]) * float(volts[rail]) for rail in amperes if rail in volts]
    return sum(powers) if powers else None
