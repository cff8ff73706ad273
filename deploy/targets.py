"""The devices that a bundle can be made for, and the wheels that they need."""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgecnn.command import OK, progress
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

LOCKS = Path(__file__).parents[1] / "requirements"
INSTALLER = "bundle"  # the lock of what installs: pip


@dataclass(frozen=True)
class Target:
    """A device's system: what decides which wheels fit."""

    lock: str  # in requirements/: board-<lock>.txt
    python: str
    machine: str  # as Python's wheels call it
    glibc: int  # 2.<glibc>
    library: str  # as `python -m convert.c --build` calls it
    provided: dict[str, tuple[str, str]] = field(
        default_factory=dict
    )  # where pip has no wheels: module, system's package

    def engine_for(self, model_format: str) -> str:
        """The best engine that the lock has for files of a format."""
        names = locked(self.lock)
        able = [kind.name for kind in ENGINES.values() if kind.format == model_format and kind.package in names]
        if not able:
            raise EdgecnnError(f"no engine for .{model_format} has wheels for this target: leave that model out")
        return able[0]


_BOOKWORM = Target("bookworm-arm64", "3.11", "aarch64", 36, "linux-aarch64")
_DEBIANS = {
    "numpy": ("numpy", "python3-numpy"),
    "pillow": ("PIL", "python3-pil"),
    "opencv-python-headless": ("cv2", "python3-opencv"),
}
_BOOKWORM_32 = Target("bookworm-armhf", "3.11", "armv7l", 36, "linux-armv7", _DEBIANS)
TARGETS = {
    "pi3-bookworm": _BOOKWORM,
    "pi4-bookworm": _BOOKWORM,
    "pi5-bookworm": _BOOKWORM,
    "pi5-trixie": Target("trixie-arm64", "3.13", "aarch64", 41, "linux-aarch64"),
    "pi3-32-bookworm": _BOOKWORM_32,
    "pi4-32-bookworm": _BOOKWORM_32,
    "pc-bookworm": Target("bookworm-amd64", "3.11", "x86_64", 36, "linux-x86_64"),
}


def locked(lock: str) -> dict[str, str]:
    """The entries of a lock in requirements/ by package: `name==version` and its hashes."""
    path = LOCKS / (f"{lock}.txt" if lock == INSTALLER else f"board-{lock}.txt")
    text = re.sub(r"^ *#.*\n", "", read_file(path).decode(), flags=re.MULTILINE)
    entries = re.findall(r"^([A-Za-z0-9._-]+)(==.*(?:\n[ \t].*)*)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): name + rest.strip() for name, rest in entries}


def wheels(target: Target, packages: Iterable[str], folder: Path) -> list[str]:
    """Download the wheels of packages and of all that they need, as the target's lock has them.

    Args:
        target: the device.
        packages: their names.
        folder: where the wheels go.

    Returns:
        The lock's entries of what was downloaded.

    Raises:
        EdgecnnError: the package index cannot be reached, or has no such wheel.
    """
    entries, waiting = locked(target.lock), list(packages)
    done: dict[str, str] = {}
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in done or name in target.provided:
            continue
        if name not in entries:
            raise EdgecnnError(f"requirements/board-{target.lock}.txt lacks {name}: make lock")
        done[name] = entries[name]
        waiting += _needs(fetch(entries[name], folder, target), target)
    return [done[name] for name in sorted(done)]


def fetch(entry: str, folder: Path, target: Target | None = None) -> Path:
    """Download one entry's wheel, for a target or for any Python."""
    progress(f"fetching {entry.split(maxsplit=1)[0]}")
    where = (
        [f"--platform=manylinux_2_{minor}_{target.machine}" for minor in range(17, target.glibc + 1)] if target else []
    )
    where += [f"--platform=linux_{target.machine}", f"--python-version={target.python}"] if target else []
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "wanted.txt"
        wanted.write_text(entry + "\n")
        words = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", *where]
        words += ["--require-hashes", "--requirement", str(wanted), "--dest", scratch]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        if done.returncode != OK:
            reasons = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["it said nothing"]
            raise EdgecnnError(f"{entry.split(maxsplit=1)[0]} cannot be had: {reasons[-1]}")
        (wheel,) = Path(scratch).glob("*.whl")
        progress("")
        return wheel.rename(folder / wheel.name)


def _needs(wheel: Path, target: Target) -> list[str]:
    """Names of the packages that a wheel needs on a target."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", each))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist") or []]
    there = {
        "python_version": target.python, "python_full_version": f"{target.python}.0", "extra": "",
        "platform_machine": target.machine, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
    }  # fmt: skip
    return [each.name for each in requirements if not each.marker or each.marker.evaluate(there)]
