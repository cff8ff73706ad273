"""The command `edgecnn doctor`: this machine, every engine on it, and one command that installs what is missing.

An engine is tried in a child process: it can kill the process that imports it.
"""

import argparse
import importlib.util
import re
import shlex
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecnn import SHIPPED
from edgecnn.child_process import DiedError, in_child
from edgecnn.command import GATE_FAILED, OK, print_json, quiet, table
from edgecnn.device import DEBIANS, Device, describe, install
from edgecnn.engines import ENGINES, EngineKind, packaged
from edgecnn.errors import causes

# The text of a failed import, its cause, and the cure: packages for pip, and for apt.
_CAUSES = (
    (
        r"numpy\.core\.multiarray failed to import|_ARRAY_API not found|compiled using NumPy 1\.x",
        "it was built for numpy 1, and numpy 2 is installed",
        ("numpy<2",),
        (),
    ),
    (r"libopenblas\.so\.0", "numpy misses the library OpenBLAS", (), ("libopenblas0",)),
    (r"libatomic\.so\.1", "it misses the library libatomic", (), ("libatomic1",)),
    (r"libgomp[^ ]*\.so[^ ]*: cannot open", "it misses the library libgomp", (), ("libgomp1",)),
    (r"libstdc\+\+\.so\.6: cannot open", "it misses the C++ library", (), ("libstdc++6",)),
    (r"GLIBC(XX)?_[\d.]+' not found", "it was built for a newer system: upgrade to Debian 12 or later", (), ()),
    (r"cannot enable executable stack", "glibc 2.41 and later refuse its executable stack: use another engine", (), ()),
    (r"static TLS block", "glibc has no room for its thread-local data: import it before everything else", (), ()),
    (r"failed to map segment", "its folder is on a file system without programs (noexec): install elsewhere", (), ()),
    (r"No module named 'numpy'", "numpy is not installed", ("numpy",), ()),
)
# Versions that are known to die on some CPU: package, version, feature without which it dies, what to install, source.
_DEADLY = (
    ("onnxruntime", "1.21.0", "dot product", "onnxruntime>=1.22", "github.com/microsoft/onnxruntime/issues/23957"),
)


@dataclass(frozen=True)
class Finding:
    """The state of an engine on this machine."""

    engine: str
    package: str
    version: str | None
    state: str  # works, broken, not installed, or no wheel
    reason: str = ""
    pip: tuple[str, ...] = ()  # requirements that mend or install it
    apt: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """This machine, its engines, and the cure."""

    device: Device
    warnings: tuple[str, ...]
    engines: tuple[Finding, ...]
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
    engines = tuple(_examine(kind, device) for kind in packaged())
    pillow = importlib.util.find_spec("PIL") is not None
    return Diagnosis(device, tuple(_warnings(device)), engines, pillow, _command(engines, device))


def _examine(kind: EngineKind, device: Device) -> Finding:
    if not kind.installed:
        return _missing(kind, device)
    try:
        with quiet() as printed:
            failure = in_child(_try, kind.name)
            output = printed()
    except DiedError as death:
        return _dead(kind, device, str(death))
    if not failure:
        return Finding(kind.name, kind.package, kind.version, "works")
    return _broken(kind, failure, output)


def _try(name: str) -> list[str]:
    """Import an engine and, if it runs the model that ships, run that; the error and its causes, or nothing."""
    kind = ENGINES[name]
    try:
        importlib.import_module(kind.module)
        if SHIPPED.suffix == f".{kind.format}":
            from edgecnn.modelfile import read_model

            kind.engine_class()(kind.module, SHIPPED, read_model(SHIPPED).data, 1).invoke()
    except BaseException as error:  # engines raise whatever they like
        return [f"{type(cause).__name__}: {cause}" for cause in causes(error)]
    return []


def _missing(kind: EngineKind, device: Device) -> Finding:
    reason = None
    if device.platform == "linux":
        version = tuple(map(int, device.python.split(".")[:2]))
        name, number = device.libc
        glibc = tuple(int(part) for part in re.findall(r"\d+", number)[:2])
        reason = kind.no_wheel(device.machine, version, name, glibc)
    if reason:
        return Finding(kind.name, kind.package, None, "no wheel", f"{kind.package} {reason}")
    return Finding(kind.name, kind.package, None, "not installed", "", kind.requirements)


def _dead(kind: EngineKind, device: Device, death: str) -> Finding:
    for package, version, feature, cure, source in _DEADLY:
        if (kind.package, kind.version) == (package, version) and feature not in device.features and death == "SIGILL":
            reason = (
                f"{package} {version} uses instructions ({feature}) that this {device.cpu} does not have ({source})"
            )
            return Finding(kind.name, kind.package, kind.version, "broken", f"SIGILL: {reason}", (cure,))
    why = {
        "SIGILL": f"it uses an instruction that this CPU ({device.cpu}) does not have: install another version",
        "SIGSEGV": "it crashes: install another version",
        "SIGKILL": "it was killed, probably since memory ran out",
    }.get(death, "install another version")
    return Finding(kind.name, kind.package, kind.version, "broken", f"{death}: {why}")


def _broken(kind: EngineKind, failure: list[str], output: str = "") -> Finding:
    """The finding for an engine that failed: by its errors, the last of which is the first cause, and by its output."""
    for pattern, cause, pip, apt in _CAUSES:
        if any(re.search(pattern, text) for text in (*failure, output)):
            return Finding(kind.name, kind.package, kind.version, "broken", cause, pip, apt)
    return Finding(kind.name, kind.package, kind.version, "broken", " ".join(failure[-1].split())[:200])


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
    return "\n\n".join((table(("", "this device"), _facts(diagnosis.device)), engines, *lines, *pillow))


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
