"""Who may import whom."""

import ast
import sys
from pathlib import Path

import pytest
from conftest import ROOT

TOP = ("train", "convert", "benchmarks", "deploy")
MODULES = [path for folder in (*TOP, "runtime/edgecnn") for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by full names"
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_arrows_of_import(path: Path) -> None:
    folder = path.relative_to(ROOT).parts[0]
    foreign = imported(path) & {*TOP, "runtime", "tests"} - {folder}
    assert not foreign, f"{folder} may import edgecnn, not {foreign}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_device_needs_numpy_and_the_standard_library(path: Path) -> None:
    """Engines and Pillow are named in strings and loaded on demand, Pillow's helpers inside a function."""
    if "runtime" in path.parts:
        allowed = {"edgecnn", "numpy", "PIL"} if path.name == "decoding.py" else {"edgecnn", "numpy"}
        assert imported(path) - sys.stdlib_module_names <= allowed
