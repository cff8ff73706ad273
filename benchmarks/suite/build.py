"""The files of a network: Keras, int8 TFLite and ONNX, C with its libraries; in the cache folder, by content.

A folder's name ends in a hash of what its files are built from. A change of networks.py, keras_files.py or
workstation/architectures.py builds everything again; a change of the packages' versions converts again; a change in
convert/c builds C again and nothing else. The rest of convert/ is not hashed: with `--optimize none` it hands the
network on to TensorFlow's converter.
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.suite import keras_files, networks
from benchmarks.suite.networks import NETWORKS
from edgecnn.child_process import in_child
from edgecnn.command import GATE_FAILED, OK, progress, quiet
from edgecnn.errors import EdgecnnError
from edgecnn.programs import run_program

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgecnn" / "suite"
OURS = "native"  # the engine whose library is built, and called from C
_UNUSED_SECONDS = 30 * 24 * 3600
_ARCHITECTURES = ROOT / "workstation/architectures.py"
_VERSIONS = ROOT / "requirements/workstation.txt"
INT8, INT8_ONNX, REFUSAL = "model_int8.tflite", "model_int8.onnx", "refused.txt"


@dataclass(frozen=True)
class Files:
    """What there is of a network."""

    keras: Path  # the folder of model.keras and of its images
    tflite: Path  # with the libraries of its C beside it, if C takes it
    onnx: Path | None  # None if the converter refuses it
    refusal: str  # why C refuses it; empty if it does not


def build(name: str, targets: Sequence[str] = ("host",), home: Path = HOME) -> Files:
    """Build what is missing of a network of the suite.

    Args:
        name: of `NETWORKS`.
        targets: of the libraries, as `python -m convert.c --build` names them.
        home: the folder for the files.

    Raises:
        EdgecnnError: Keras or the converter to TFLite fails.
    """
    keras = keras_of(name, home)
    forget_unused(home)
    int8_key = key([_VERSIONS], keras.name.rpartition("-")[2])
    int8 = once(home / f"{name}-int8-{int8_key}", lambda folder: _convert(name, keras, folder))
    in_c = in_c_of(int8 / INT8, targets, home, name)
    onnx = int8 / INT8_ONNX
    refusal = in_c / REFUSAL
    return Files(keras, in_c / INT8, onnx if onnx.exists() else None, refusal.read_text() if refusal.exists() else "")


def keras_of(name: str, home: Path = HOME) -> Path:
    """The folder of a network's model.keras and images."""
    keras_key = key([Path(networks.__file__), Path(keras_files.__file__), _ARCHITECTURES], name)
    return once(home / f"{name}-keras-{keras_key}", lambda folder: _write_keras(name, folder))


def model_of(path: Path) -> Path:
    """A file, or the int8 `.tflite` of the suite's network with that name."""
    return build(str(path)).tflite if str(path) in NETWORKS and not path.exists() else path


def in_c_of(model: Path, targets: Sequence[str], home: Path = HOME, name: str = "") -> Path:
    """The folder of an int8 `.tflite` with its C and libraries, or with the reason why C refuses it."""
    sources = [path for path in (ROOT / "convert/c").rglob("*") if path.suffix in (".py", ".h", ".c")]
    c_key = key([model, *sources], *targets)
    return once(home / f"{name or model.stem}-c-{c_key}", lambda folder: _write_c(model, targets, folder))


def key(files: Iterable[Path], *words: str) -> str:
    """A hash of words, and of files' names and bytes."""
    digest = hashlib.sha256("\0".join(words).encode())
    for path in sorted(files):
        digest.update(f"\0{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """A folder, filled if it is not there: whole or not at all, and by the first of those who fill it at once."""
    if folder.exists():
        os.utime(folder)  # it is in use
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        fill(scratch)
        scratch.chmod(0o755)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


def forget_unused(home: Path) -> None:
    """Remove the folders that nobody used for a month, and those of builds that were killed."""
    for folder in home.iterdir():
        if time.time() - folder.stat().st_mtime > _UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _write_keras(name: str, folder: Path) -> None:
    progress(f"building {name}")
    with quiet():  # TensorFlow greets on stderr
        in_child(keras_files.write, name, folder)
    progress("")


def _convert(name: str, keras: Path, folder: Path) -> None:
    """Convert to int8 TFLite and ONNX without rewrites, as C takes it."""
    words = ("--max-drop", 1, "--optimize", "none", "--variants", "tflite:int8", "onnx:int8")  # untrained: any loss
    _run("convert", keras / "model.keras", *words, "--output", folder, fine=(OK, GATE_FAILED))
    if not (folder / INT8).exists():
        raise EdgecnnError(f"{name} has no int8 TFLite: python -m convert {keras / 'model.keras'} says why")


def _write_c(model: Path, targets: Sequence[str], folder: Path) -> None:
    """Write C and build its libraries; if C refuses the network, write the reason."""
    shutil.copyfile(model, folder / INT8)
    words = ("--output", folder / "model_int8.c", "--build", *targets)
    try:
        _run("convert.c", folder / INT8, *words)
    except EdgecnnError as error:
        (folder / REFUSAL).write_text(str(error))


def _run(command: str, *words: object, fine: Sequence[int] = (OK,)) -> None:
    """Run a command of this checkout.

    Raises:
        EdgecnnError: it fails; the reason is its last line.
    """
    progress(f"python -m {command} {words[0]}")
    run_program(sys.executable, "-m", command, *words, failure=f"python -m {command}", fine=fine, cwd=ROOT)
    progress("")
