"""The engines and the wheels that a system needs; boards/ has the systems."""

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
INSTALLER = "bundle"  # the lock of what installs: pip


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


def wheels(system: System, packages: Iterable[str], folder: Path) -> list[str]:
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
    """Download one entry's wheel, for a system or for any Python."""
    progress(f"fetching {entry.split(maxsplit=1)[0]}")
    where = (
        [f"--platform=manylinux_2_{minor}_{system.machine}" for minor in range(17, system.glibc + 1)] if system else []
    )
    where += [f"--platform=linux_{system.machine}", f"--python-version={system.python}"] if system else []
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


def _needs(wheel: Path, system: System) -> list[str]:
    """Names of the packages that a wheel needs on a system."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(each for each in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", each))
        metadata = HeaderParser().parsestr(archive.read(name).decode())
    requirements = [Requirement(text) for text in metadata.get_all("Requires-Dist") or []]
    there = {
        "python_version": system.python, "python_full_version": f"{system.python}.0", "extra": "",
        "platform_machine": system.machine, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
    }  # fmt: skip
    return [each.name for each in requirements if not each.marker or each.marker.evaluate(there)]
