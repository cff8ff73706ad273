"""The state of an engine on this machine, and what mends it.

An engine is tried in a child process: it can kill the process that imports it.
"""

import importlib
import re
from dataclasses import dataclass

from edgecnn.child_process import DiedError, in_child
from edgecnn.device import Device
from edgecnn.engines import ENGINES, EngineKind
from edgecnn.errors import causes
from edgecnn.shipped import SHIPPED
from edgecnn.streams import quiet

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


def examine_engine(kind: EngineKind, device: Device) -> Finding:
    """Try an engine in a child process."""
    if not kind.installed:
        return missing(kind, device)
    try:
        with quiet() as printed:
            failure = in_child(_try, kind.name)
            output = printed()
    except DiedError as death:
        return dead(kind, device, str(death))
    if not failure:
        return Finding(kind.name, kind.package, kind.version, "works")
    return broken(kind, failure, output)


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


def missing(kind: EngineKind, device: Device) -> Finding:
    """The finding for an engine that is not installed."""
    reason = None
    if device.platform == "linux":
        version = tuple(map(int, device.python.split(".")[:2]))
        name, number = device.libc
        glibc = tuple(int(part) for part in re.findall(r"\d+", number)[:2])
        reason = kind.no_wheel(device.machine, version, name, glibc)
    if reason:
        return Finding(kind.name, kind.package, None, "no wheel", f"{kind.package} {reason}")
    return Finding(kind.name, kind.package, None, "not installed", "", kind.requirements)


def dead(kind: EngineKind, device: Device, death: str) -> Finding:
    """The finding for an engine that killed its process: `SIGILL`, `exit status 3`."""
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


def broken(kind: EngineKind, failure: list[str], output: str = "") -> Finding:
    """The finding for an engine that failed: by its errors, the last of which is the first cause, and by its output."""
    for pattern, cause, pip, apt in _CAUSES:
        if any(re.search(pattern, text) for text in (*failure, output)):
            return Finding(kind.name, kind.package, kind.version, "broken", cause, pip, apt)
    return Finding(kind.name, kind.package, kind.version, "broken", " ".join(failure[-1].split())[:200])
