"""A tiny model, trained on digits and converted by the real commands, that most tests share."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*words: object, env: dict[str, str] | None = None, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run `python -m words...` in the checkout, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT,
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        **options,
    )


def heed_interrupts() -> None:
    """For a child that is to be interrupted: a shell's background jobs are born deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Assert that a command ended as it should on wrong input: status 2, one line, no stack trace."""
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in line


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of a network trained on digits, shared between pytest's workers, so not to be written into.

    With TRAINED=FOLDER it is kept there, for the next run of pytest.
    """
    base = tmp_path_factory.getbasetemp()
    kept = os.environ.get("TRAINED", base if worker_id == "master" else base.parent)
    folder = Path(kept) / "digits"
    with FileLock(f"{folder}.lock"):
        if not (folder / "model_int8.onnx").exists():
            done = run("train", "--dataset", "digits", "--output", folder)
            assert done.returncode == 0, done.stderr
            for words in (("convert.tflite",), ("convert.onnx",), ("convert.onnx", "--quantize", "int8")):
                done = run(*words, folder / "model.keras")
                assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of `trained` that a test may spoil."""
    return shutil.copytree(trained, tmp_path / "copied")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder with the real MNIST; tests that need it are skipped where there is none."""
    folder = os.environ.get("MNIST_DIR")
    if not folder:
        pytest.skip("MNIST_DIR is not set: needs the real MNIST")
    return Path(folder)
