"""The engines and the wheels of a system, by its lock in requirements/; `workstation.boards` has the systems."""

import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgecnn.command import OK, progress
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from workstation.boards import System

LOCKS = Path(__file__).parents[1] / "requirements"
INSTALLER = "bundle"  # the lock of pip


def engine_for(system: System, model_format: str) -> str:
    """The best engine that a system's lock has for files of a format.

    Raises:
        EdgecnnError: the lock has none.
    """
    names = locked(system.name)
    able = [kind.name for kind in ENGINES.values() if kind.format == model_format and kind.package in names]
    if not able:
        raise EdgecnnError(f"no engine for .{model_format} has wheels for this target: leave that model out")
    return able[0]


def locked(lock: str) -> dict[str, str]:
    """The entries of a lock in requirements/ by package: `name==version` and its hashes."""
    path = LOCKS / (f"{lock}.txt" if lock == INSTALLER else f"board-{lock}.txt")
    text = re.sub(r"^ *#.*\n", "", read_file(path).decode(), flags=re.MULTILINE)
    entries = re.findall(r"^([A-Za-z0-9._-]+)(==.*(?:\n[ \t].*)*)", text, flags=re.MULTILINE)
    return {canonicalize_name(name): name + rest.strip() for name, rest in entries}


def download(system: System, packages: Iterable[str], folder: Path) -> list[str]:
    """Download the wheels of packages and of all that they need, as the system's lock has them.

    Args:
        system: the device's.
        packages: their names.
        folder: where the wheels go.

    Returns:
        The lock's entries of what was downloaded.

    Raises:
        EdgecnnError: the package index cannot be reached, or has no such wheel.
    """
    entries, waiting = locked(system.name), list(packages)
    done: dict[str, str] = {}
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in done or name in system.provided:
            continue
        if name not in entries:
            raise EdgecnnError(f"requirements/board-{system.name}.txt lacks {name}: make lock")
        done[name] = entries[name]
        waiting += _needs(fetch(entries[name], folder, system), system)
    return [done[name] for name in sorted(done)]


def fetch(entry: str, folder: Path, system: System | None = None) -> Path:
    """Download the wheel of one entry, for a system or for any Python.

    Args:
        entry: of a lock: `name==version` and its hashes.
        folder: where the wheel goes.
        system: the device's.

    Raises:
        EdgecnnError: the package index cannot be reached, or has no such wheel.
    """
    name = entry.split(maxsplit=1)[0]
    progress(f"fetching {name}")
    with tempfile.TemporaryDirectory() as scratch:
        requirements = Path(scratch) / "requirements.txt"
        requirements.write_text(entry + "\n")
        words = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        words += ["--require-hashes", "--requirement", str(requirements), "--dest", scratch, *_platform(system)]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        if done.returncode != OK:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            raise EdgecnnError(f"{name} cannot be downloaded: {errors[-1] if errors else 'pip gives no reason'}")
        (wheel,) = Path(scratch).glob("*.whl")
        progress("")
        return wheel.rename(folder / wheel.name)


def _platform(system: System | None) -> list[str]:
    """Options of pip for wheels of a system; none for wheels of any Python."""
    if system is None:
        return []
    tags = [f"manylinux_2_{minor}" for minor in range(17, system.glibc + 1)] + ["linux"]
    return [*(f"--platform={tag}_{system.machine}" for tag in tags), f"--python-version={system.python}"]


def _needs(wheel: Path, system: System) -> list[str]:
    """Names of the packages that a wheel needs on a system."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist") or []]
    environment = {
        "python_version": system.python, "python_full_version": f"{system.python}.0", "extra": "",
        "platform_machine": system.machine, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
    }  # fmt: skip
    return [needed.name for needed in requirements if not needed.marker or needed.marker.evaluate(environment)]
