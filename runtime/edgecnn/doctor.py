"""The command `edgecnn doctor`: this machine, every engine on it, and one command that installs what is missing."""

import argparse
import importlib.util
import shlex
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecnn.cameras import Camera, cameras
from edgecnn.command import GATE_FAILED, OK, print_json, table
from edgecnn.device import DEBIANS, Device, describe, install
from edgecnn.engine_findings import Finding, examine_engine
from edgecnn.engines import ENGINES, packaged


@dataclass(frozen=True)
class Diagnosis:
    """This machine, its engines, and the cure."""

    device: Device
    warnings: tuple[str, ...]
    engines: tuple[Finding, ...]
    cameras: tuple[Camera, ...]
    pillow: bool
    command: str | None  # that installs; None if an engine works and none is broken, or if nothing would help


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn doctor`: `GATE_FAILED` if no engine works."""
    diagnosis = examine()
    if options.json:
        print_json(asdict(diagnosis))
    else:
        print(screen(diagnosis))
    return OK if _works(diagnosis.engines) else GATE_FAILED


def _works(engines: Iterable[Finding]) -> bool:
    return any(finding.state == "works" for finding in engines)


def examine() -> Diagnosis:
    """Describe this machine, and try every engine on it."""
    device = describe()
    engines = tuple(examine_engine(kind, device) for kind in packaged())
    pillow, seen = importlib.util.find_spec("PIL") is not None, tuple(cameras(device.board))
    return Diagnosis(device, tuple(_warnings(device)), engines, seen, pillow, _command(engines, device))


def _warnings(device: Device) -> list[str]:
    """What makes this device slower than it could be."""
    lines = []
    if device.low_voltage or (device.throttling and "under-voltage" in device.throttling.now):
        lines.append("the power supply is too weak: use the board's own, and a short cable")
    elif device.throttling and "under-voltage" in device.throttling.since_boot:
        lines.append("the power supply was too weak at some time since boot: use the board's own, and a short cable")
    if device.throttling and set(device.throttling.now) - {"under-voltage"}:
        lines.append("the CPU is being throttled: cool it, or latencies are not those of this board")
    if device.governor == "powersave":
        lines.append(
            "the governor is powersave:"
            " echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
    return lines


def _command(engines: tuple[Finding, ...], device: Device) -> str | None:
    """One command that mends what is broken and, if no engine works, installs the best one."""
    curable = [finding for finding in engines if finding.state == "broken" and (finding.pip or finding.apt)]
    if not _works(engines) and not curable:
        curable = [finding for finding in engines if finding.state == "not installed"][:1]
    if not curable:
        return None
    pip = list(dict.fromkeys(need for finding in curable for need in finding.pip))
    apt = list(dict.fromkeys(need for finding in curable for need in finding.apt))
    shared = ""
    if pip and device.machine == DEBIANS:  # and an environment that sees Debian's numpy, with none of its own
        apt, shared = [*apt, "python3-numpy", "python3-pil"], " --system-site-packages"
        pip = [need for finding in curable for need in ENGINES[finding.engine].requirements if "numpy" not in need]
    steps = [f"sudo apt install -y {' '.join(apt)}"] if apt else []
    needs = " ".join(map(shlex.quote, pip))
    if pip and not shared and _in_environment():
        steps.append(f"{shlex.quote(sys.executable)} -m pip install {needs}")
    elif pip:  # Debian's own Python takes nothing from pip
        steps.append(f"python3 -m venv{shared} edge && edge/bin/pip install {needs} edgecnn-*.whl")
    return " && ".join(steps)


def _in_environment() -> bool:
    """Whether pip may install here: in a virtual environment, or if the system does not forbid it (PEP 668)."""
    return sys.prefix != sys.base_prefix or not (Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED").exists()


def screen(diagnosis: Diagnosis) -> str:
    """A diagnosis as people read it."""
    engines = table(("engine", "version", "state"), list(map(_row, diagnosis.engines)))
    lines = [f"{finding.engine}: {finding.reason}" for finding in diagnosis.engines if finding.reason]
    lines += [f"warning: {warning}" for warning in diagnosis.warnings]
    pillow = [] if diagnosis.pillow else [f"pictures (PNG, JPEG, …) need Pillow: {install('pillow', 'python3-pil')}"]
    if diagnosis.command:
        lines.append(f"install with:\n  {diagnosis.command}")
    elif not _works(diagnosis.engines):
        lines.append(
            "no engine has a wheel for this machine: use a 64-bit system, or Python 3.11, or --engine native with a"
            " library that python -m convert.c builds"
        )
    seen = [table(("camera", "name", "state"), list(map(_seen, diagnosis.cameras)))] if diagnosis.cameras else []
    lines += [f"{camera.source}: {camera.reason}" for camera in diagnosis.cameras if camera.reason]
    return "\n\n".join((table(("", "this device"), _facts(diagnosis.device)), engines, *seen, *lines, *pillow))


def _seen(camera: Camera) -> tuple[str, str, str]:
    return camera.source, camera.name, "cannot be used" if camera.reason else "can be used"


def _row(finding: Finding) -> tuple[str, str, str]:
    return finding.engine, finding.version or "–", finding.state


def _facts(device: Device) -> list[tuple[str, str]]:
    memory = f"{device.memory_mb} MB, {device.free_mb} MB free" if device.memory_mb else None
    features = ", ".join(device.features) or "none that matter here"
    facts: list[tuple[str, Any]] = [
        ("board", device.board),
        ("CPU", f"{device.cpu}, {device.cores} cores: {features}"),
        ("memory", memory),
        ("system", device.system),
        ("Python", f"{device.python} for {device.machine}, {' '.join(device.libc) or 'libc unknown'}"),
        ("governor", device.governor),
        ("frequency", f"{device.mhz[0]} MHz of {device.mhz[1]}" if device.mhz else None),
        ("temperature", f"{device.celsius:.0f} °C" if device.celsius is not None else None),
        ("throttling", _throttled(device)),
    ]
    return [(name, value) for name, value in facts if value]


def _throttled(device: Device) -> str | None:
    if device.throttling is None:
        return None
    now, before = (", ".join(causes) or "none" for causes in (device.throttling.now, device.throttling.since_boot))
    return f"now: {now}; since boot: {before}"
