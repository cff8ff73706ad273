"""Which module may import which."""

import ast
import importlib
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

TOP = ("workstation", "train", "convert", "benchmarks", "deploy")
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
    shared = {"workstation"} if folder in TOP else set()
    foreign = imported(path) & {*TOP, "runtime", "tests"} - {folder} - shared
    assert not foreign, f"{folder} may import {' and '.join(('edgecnn', *shared))}, not {foreign}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_device_needs_numpy_and_the_standard_library(path: Path) -> None:
    """Engines and Pillow are named in strings and loaded on demand; the server has an extra of its own."""
    if "runtime" in path.parts:
        server = {"prometheus_client", "starlette", "uvicorn"} if path.parent.name == "serve" else set()
        assert imported(path) - sys.stdlib_module_names <= {"edgecnn", "numpy", *server}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT / "runtime" if "runtime" in path.parts else ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules_imported(path: Path, modules: set[str]) -> set[str]:
    """The modules of this tree that a module imports, anywhere in it, also inside functions and for types alone."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= whole & modules or {str(node.module)}
    return names & modules - {module_name(path)}


@pytest.mark.parametrize("folder", ["workstation", "train", "convert", "benchmarks", "deploy", "runtime/edgecnn"])
def test_no_import_circle(folder: str) -> None:
    paths = [path for path in MODULES if path.is_relative_to(ROOT / folder)]
    modules = {module_name(path) for path in paths}
    graph = {module_name(path): modules_imported(path, modules) for path in paths}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import one another in a circle: {' <- '.join(error.args[1])}")


@pytest.mark.parametrize("name", ["tensorflow", "keras"])
def test_the_process_of_the_tests_loads_no_tensorflow(name: str) -> None:
    """A test that does would break those that run tflite-runtime after it: it fails or, with TEST_FAST, is skipped."""
    with pytest.raises((pytest.fail.Exception, pytest.skip.Exception), match="TensorFlow"):
        importlib.import_module(name)
    assert not {"tensorflow", "keras"} & set(sys.modules)
