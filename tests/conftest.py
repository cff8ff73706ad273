"""A tiny model, trained on digits and converted by the real commands, that most tests share."""

import atexit
import functools
import importlib
import importlib.util
import inspect
import io
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

import pytest
from filelock import FileLock

from edgecnn.command import command
from edgecnn.files import sha256
from edgecnn.shipped import SHIPPED

ROOT = Path(__file__).resolve().parent.parent

_WARM = r"train(\.(shrink|qat))?|convert(\.(tflite|onnx|c|debug|verify))?|.*\.py"  # what loads TensorFlow
Run = Callable[..., "subprocess.CompletedProcess[str]"]
FAST = bool(os.environ.get("TEST_FAST"))  # make test-fast: nothing that is marked slow or needs TensorFlow


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With FAST: deselect the tests that are marked slow or that need a network trained or converted once."""
    if FAST:
        slow = {item for item in items if item.get_closest_marker("slow") or "once" in item.fixturenames}
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


def skip_if_fast() -> None:
    """With FAST: skip the running test: it loads TensorFlow."""
    if FAST:
        pytest.skip("it loads TensorFlow: make test", allow_module_level=True)


class NoTensorFlow:
    """Finds TensorFlow and refuses to load it: once a process has loaded it, tflite-runtime fails there.

    It would fail in whichever test comes later in this worker of pytest. With FAST the test is skipped.
    """

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Of a module that nothing may load here."""
        spec = PathFinder.find_spec(name) if name in ("keras", "tensorflow") else None
        if spec:
            spec.loader = cls()
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Fail or skip the running test, whatever it catches."""
        skip_if_fast()
        cure = "run that in a process of its own (conftest.run)"
        pytest.fail(f"{spec.name} loads TensorFlow, beside which tflite-runtime fails in later tests: {cure}")

    def exec_module(self, module: object) -> None:
        """Never called: no module is created."""


sys.meta_path.insert(0, NoTensorFlow)


def run(
    *words: object, env: dict[str, str] | None = None, file_size: int | None = None, **options: object
) -> "subprocess.CompletedProcess[str]":
    """Run `python -m words...` in the checkout, as a user does; a word that ends in .py runs that file.

    A command that loads TensorFlow is forked from a process that has it (see warm.py).

    Args:
        words: the command.
        env: added to the environment.
        file_size: the most bytes that such a command may write into one file, in place of a full disk.
        options: for `subprocess.run`; the command then has a fresh process.
    """
    arguments, environment = list(map(str, words)), os.environ | (env or {})
    if not options and re.fullmatch(_WARM, arguments[0]):
        return warm_process().run(arguments, environment, file_size)
    assert file_size is None
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        **options,
    )


def run_here(*words: object) -> "subprocess.CompletedProcess[str]":
    """Run `python -m words...` within this process, which saves a start; not for commands that load TensorFlow."""
    name, *rest = map(str, words)
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = main_of(name)(rest)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


def main_of(name: str) -> Callable[[list[str]], int]:
    """The command as a function that reads its words in this process."""
    spec = importlib.util.find_spec("edgecnn.cli" if name == "edgecnn" else name)
    assert spec is not None
    module = importlib.import_module(f"{name}.__main__" if spec.submodule_search_locations else spec.name)
    return command(inspect.unwrap(module.main))


class Warm:
    """The process that has TensorFlow loaded."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._socket = f"{self._folder.name}/socket"
        self._process = subprocess.Popen([sys.executable, ROOT / "tests/warm.py", self._socket])
        while not Path(self._socket).exists():
            assert self._process.poll() is None
            time.sleep(0.05)

    def run(
        self, words: list[str], environment: dict[str, str], file_size: int | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in a fork of it; -N is the status of one that signal N killed."""
        request = json.dumps({"words": words, "environment": environment, "file_size": file_size}).encode()
        with socket.socket(socket.AF_UNIX) as client, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            client.settimeout(600)
            client.connect(self._socket)
            socket.send_fds(client, [request], [out.fileno(), err.fileno()])
            status = int(client.recv(16))
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(words, status, out.read().decode(), err.read().decode())

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._folder.cleanup()


@functools.cache
def warm_process() -> Warm:
    """The process that has TensorFlow loaded: started at its first use, once in every worker of pytest."""
    skip_if_fast()
    process = Warm()
    atexit.register(process.close)
    return process


def heed_interrupts() -> None:
    """For a child that a test interrupts: background jobs of a shell ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def refused(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Assert that a command reported wrong input: status 2, one line with these words, no stack trace."""
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in line


Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Once:
    """A function that returns a folder by name; the first worker of pytest that asks for it fills it, for all workers.

    With TRAINED=FOLDER the folders are kept there for the next run of pytest. Do not write into them.
    """
    base = tmp_path_factory.getbasetemp()
    kept = Path(os.environ.get("TRAINED", base if worker_id == "master" else base.parent))

    def filled(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = kept / name, kept / f"{name}.done"
        with FileLock(f"{folder}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return filled


@pytest.fixture(scope="session")
def trained(once: Once) -> Path:
    """The folder of a network trained on digits and its conversions."""

    def fill(folder: Path) -> None:
        done = run("train", "--dataset", "digits", "--output", folder)
        assert done.returncode == 0, done.stderr
        for words in (("convert.tflite",), ("convert.onnx",), ("convert.onnx", "--quantize", "int8")):
            done = run(*words, folder / "model.keras")
            assert done.returncode == 0, done.stderr

    return once("digits", fill)


@pytest.fixture(scope="session")
def shipped_library(once: Once) -> Path:
    """The model in the wheel, with a library of its C for this machine beside it."""

    def fill(folder: Path) -> None:
        done = run("convert.c", shutil.copy(SHIPPED, folder), "--build", "host")
        assert done.returncode == 0, done.stderr

    return once("shipped", fill) / SHIPPED.name


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of `trained` that a test may spoil."""
    return shutil.copytree(trained, tmp_path / "copied")


@pytest.fixture(scope="session")
def mnist_dir() -> Path:
    """The folder with the real MNIST; without it, tests that need it are skipped."""
    folder = os.environ.get("MNIST_DIR")
    if not folder:
        pytest.skip("MNIST_DIR is not set: needs the real MNIST")
    return Path(folder)


BUNDLED = "pc-bookworm"  # this machine, as a target of bundles


def fits() -> bool:
    """Whether this Python is the target's: the bundle is tried on this machine."""
    from workstation.boards import TARGETS

    here = (f"{sys.version_info[0]}.{sys.version_info[1]}", platform.machine())
    return here == (TARGETS[BUNDLED].python, TARGETS[BUNDLED].machine)


@pytest.fixture(scope="session")
def bundle(trained: Path, once: Once) -> Path:
    """A bundle for this machine, with all that it needs."""
    if not fits():
        pytest.skip(f"the bundle for {BUNDLED} is for Python 3.11 on x86_64")

    def fill(folder: Path) -> None:
        path = folder / "digits.bundle"
        words = ("deploy.bundle", trained / "model_int8.tflite", "--target", BUNDLED, "--offline", "--images", 100)
        words += ("--with", "serve")
        done = run(*words, "--output", path, "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["bytes"], report["sha256"]) == (path.stat().st_size, sha256(path.read_bytes()))
        assert report["engines"] == ["litert"]
        again = path.with_name("again.bundle")
        assert run(*words, "--output", again).returncode == 0
        assert again.read_bytes() == path.read_bytes()  # the same inputs, the same bytes
        again.unlink()

    return once("bundles", fill) / "digits.bundle"
