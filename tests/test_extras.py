"""The extras of the wheel against the real package index: what resolves on which board and Python, and what not."""

import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

from edgecnn.engines import ENGINES, packaged

pytestmark = pytest.mark.slow

EXTRAS = tomllib.loads((ROOT / "runtime/pyproject.toml").read_text())["project"]["optional-dependencies"]
GLIBC = 36  # Debian 12
ALL, UP_TO_311 = ("3.10", "3.11", "3.12", "3.13", "3.14"), ("3.10", "3.11")
WHEELS = {
    "x86_64": {"litert": ALL, "tflite": UP_TO_311, "onnx": ALL},
    "aarch64": {"litert": ALL, "tflite": UP_TO_311, "onnx": ALL},
    "armv7l": {"litert": (), "tflite": UP_TO_311, "onnx": ()},
}
CASES = [(machine, extra, python) for machine in WHEELS for extra in WHEELS[machine] for python in ALL]


def is_edge(case: tuple[str, str, str]) -> bool:
    """Whether the table begins, changes or ends at this Python."""
    machine, extra, python = case
    near = [ALL[place] for place in (ALL.index(python) - 1, ALL.index(python) + 1) if 0 <= place < len(ALL)]
    there = WHEELS[machine][extra]
    return len(near) == 1 or any((python in there) != (other in there) for other in near)


def brought(extra: str, machine: str, python: str) -> list[str]:
    """What an extra asks for on a Linux board; on 32-bit ones numpy is Debian's."""
    there = {"platform_machine": machine, "sys_platform": "linux", "python_version": python}
    wanted = map(Requirement, EXTRAS[extra])
    return [
        f"{each.name}{each.specifier}"
        for each in wanted
        if (each.marker is None or each.marker.evaluate(there)) and (each.name, machine) != ("numpy", "armv7l")
    ]


def resolves(case: tuple[str, str, str]) -> bool:
    """Whether pip finds wheels; of the engine itself where the extra brings nothing."""
    machine, extra, python = case
    wanted = brought(extra, machine, python) or [ENGINES[extra].requirements[0]]
    names = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in range(17, GLIBC + 1)))
    tags = [f"--platform={name}_{machine}" for name in names]
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--target=none", "--no-deps"]
    words = [*pip, "--only-binary=:all:", "--ignore-requires-python", f"--python-version={python}", *tags, *wanted]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "No matching distribution" in done.stderr, done.stderr
    return done.returncode == 0


def test_the_table_of_wheels_is_that_of_the_package_index() -> None:
    edges = list(filter(is_edge, CASES))
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(edges, pool.map(resolves, edges), strict=True))
    assert found == {(machine, extra, python): python in WHEELS[machine][extra] for machine, extra, python in edges}


@pytest.mark.parametrize(("machine", "extra", "python"), CASES)
def test_an_extra_brings_its_engine_or_nothing(machine: str, extra: str, python: str) -> None:
    names = [Requirement(each).name for each in brought(extra, machine, python)]
    assert (ENGINES[extra].package in names) == bool(names) == (python in WHEELS[machine][extra])


@pytest.mark.parametrize(("machine", "extra", "python"), CASES)
def test_doctor_knows_the_table(machine: str, extra: str, python: str) -> None:
    version = tuple(map(int, python.split(".")))
    reason = ENGINES[extra].no_wheel(machine, version, "glibc", (2, GLIBC))
    assert (reason is None) == (python in WHEELS[machine][extra]), reason


def test_doctor_names_the_requirements_of_the_extra() -> None:
    for kind in packaged():
        wanted = {str(Requirement(each.split(";")[0])) for each in EXTRAS[kind.name]} - {"pillow"}
        assert {str(Requirement(each)) for each in kind.requirements} == wanted
