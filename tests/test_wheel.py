"""The wheel alone, in fresh environments outside the checkout, one extra at a time."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from test_commands import DRAWN, digit_file

from edgecnn.engines import ENGINES, packaged

pytestmark = pytest.mark.slow

BARE = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", folder, ROOT / "runtime"], check=True)
    (made,) = folder.glob("*.whl")
    return made


def test_the_wheel_is_small_and_pure(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-any.whl")
    assert wheel.stat().st_size < 360_000
    names = zipfile.ZipFile(wheel).namelist()
    files = [path for path in (ROOT / "runtime/edgecnn").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    sources = {str(path.relative_to(ROOT / "runtime")) for path in files}
    assert {name for name in names if not name.startswith("edgecnn-")} == sources
    assert any(name.endswith("licenses/LICENSE") for name in names)


def fresh(folder: Path, *install: str, base: str = sys.executable) -> Path:
    """A new environment with `install`, by the pip of this one where the Python is the same; its Python."""
    python = folder / "venv" / "bin" / "python"
    same = base == sys.executable
    subprocess.run([base, "-m", "venv", *["--without-pip"] * same, folder / "venv"], check=True)
    pip = [base, "-m", "pip", "--python", python] if same else [python, "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", *install], check=True)
    return python


def outside(python: Path, *words: object) -> "subprocess.CompletedProcess[str]":
    """Run `words` with a bare environment, outside the checkout."""
    return subprocess.run(
        [python, *map(str, words)], cwd=python.parent, env=BARE, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("extra", [kind.name for kind in packaged() if kind.installed])
def test_one_extra_is_enough(wheel: Path, trained: Path, tmp_path: Path, extra: str) -> None:
    python = fresh(tmp_path, f"{wheel}[{extra}]")
    model = trained / ("model_float32.onnx" if extra == "onnx" else "model_int8.tflite")
    done = outside(python, "-m", "edgecnn", "check", model, trained / "evaluation.npz", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["engine"] == extra
    code = f"""
import sys
before = set(sys.modules)
import {ENGINES[extra].module}
engine = set(sys.modules)
import numpy, edgecnn
edgecnn.Classifier({str(model)!r}).predict(numpy.zeros((28, 28), numpy.uint8))
new = {{name.split(".")[0] for name in set(sys.modules) - engine - before}}
print(*sorted(new - set(sys.stdlib_module_names)))
"""
    loaded = outside(python, "-c", code)
    assert loaded.returncode == 0, loaded.stderr
    assert set(loaded.stdout.split()) <= {"edgecnn", "numpy", ENGINES[extra].module.split(".")[0]}
    classify = ("-m", "edgecnn", "classify", digit_file(tmp_path), "--json")
    if extra == "litert":  # with Pillow, and with a picture and a model inside the wheel: nothing else is needed
        done = outside(python, "-m", "edgecnn", "classify", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["label"] == DRAWN
    else:
        done = outside(python, *classify, "--model", model)
        assert done.returncode == 2
        assert "needs Pillow, the extra 'image'" in done.stderr
    other = "litert" if extra == "onnx" else "onnx"
    missing = outside(python, "-m", "edgecnn", "check", model, trained / "evaluation.npz", "--engine", other)
    assert (missing.returncode, "Traceback" in missing.stderr) == (2, False)


def interpreter(version: str) -> str | None:
    """A Python of this version on this machine that has venv, on the path or in pyenv's folder."""
    candidates = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for each in candidates:
        if (
            each
            and subprocess.run([each, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0
        ):
            return str(each)
    return None


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13", "3.14"])
def test_other_pythons_run_it_too(wheel: Path, trained: Path, tmp_path: Path, version: str) -> None:
    base = interpreter(version)
    if base is None:
        pytest.skip(f"Python {version} is not on this machine")
    python = fresh(tmp_path, f"{wheel}[litert]", base=base)
    done = outside(python, "-m", "edgecnn", "check", trained / "model_int8.tflite", trained / "evaluation.npz")
    assert done.returncode == 0, done.stderr


def test_without_an_engine_it_says_what_to_install(wheel: Path, trained: Path, tmp_path: Path) -> None:
    python = fresh(tmp_path, str(wheel))
    for model, package in (("model_int8.tflite", "ai-edge-litert"), ("model_float32.onnx", "onnxruntime")):
        done = outside(python, "-m", "edgecnn", "check", trained / model, trained / "evaluation.npz")
        assert done.returncode == 2
        assert f"pip install {package}" in done.stderr
    assert outside(python, "-m", "edgecnn", "info", trained / "model.keras").returncode == 0
