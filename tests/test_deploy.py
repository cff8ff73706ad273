"""The program that a bundle carries needs nothing but itself and Python 3.7, and names machines as the runtime does."""

import ast
import platform
import re
import struct
import sys
import tomllib

import pytest
from conftest import ROOT

from deploy import machine
from deploy.program import MODULES, probe, program
from edgecnn import architecture

FILES = {name: ROOT / "deploy" / f"{name}.py" for name in MODULES}


def imports(text: str) -> set[str]:
    """The modules that a program imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            module = str(node.module)
            names |= {f"{module}.{alias.name}" for alias in node.names} if module == "deploy" else {module}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


@pytest.mark.parametrize("name", MODULES)
def test_the_program_of_a_bundle_needs_nothing_but_itself_and_python_3_7(name: str) -> None:
    text = FILES[name].read_text()
    ast.parse(text, feature_version=(3, 7))
    foreign = imports(text) - {f"deploy.{module}" for module in MODULES}
    assert {module.partition(".")[0] for module in foreign} <= sys.stdlib_module_names


def test_ruff_knows_which_files_are_for_python_3_7() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    (pattern,) = [pattern for pattern, version in ruff["per-file-target-version"].items() if version == "py37"]
    names = re.fullmatch(r"deploy/\{(.*)\}\.py", pattern)
    assert names is not None
    assert set(names[1].split(",")) == set(MODULES) - {"__init__"}
    assert pattern in ruff["lint"]["per-file-ignores"]


def test_all_files_of_the_program_are_in_it() -> None:
    assert set(program()) == {"__main__.py", *(f"deploy/{name}.py" for name in MODULES)}
    assert probe() == FILES["machine"].read_text()


@pytest.mark.parametrize("pointer", [4, 8])
@pytest.mark.parametrize("kernel", ["aarch64", "armv8l", "armv7l", "x86_64", "riscv64"])
def test_installer_and_runtime_name_a_machine_alike(kernel: str, pointer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has the rule for 32-bit Python on a 64-bit kernel, since the installer runs before edgecnn is there."""
    monkeypatch.setattr(platform, "machine", lambda: kernel)
    monkeypatch.setattr(struct, "calcsize", lambda _: pointer)
    assert machine.description()["machine"] == architecture.machine()
