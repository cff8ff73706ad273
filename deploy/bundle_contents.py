"""What a bundle holds: the program, the models, images to judge them by, golden answers, wheels."""

import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deploy.index import MODELS, SCHEMA, WHEELS, is_plain
from deploy.program import program
from deploy.wheels import INSTALLER, download, engine_for, fetch, locked
from edgecnn import PICTURE, SHIPPED, __version__
from edgecnn.command import progress
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_dataset
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256
from edgecnn.golden import FILE as GOLDEN
from edgecnn.golden import IMAGES as GOLDEN_IMAGES
from edgecnn.golden import make
from edgecnn.modelfile import ModelFile
from edgecnn.native_description import description_file
from edgecnn.programs import run_program
from workstation.boards import System

EXTRAS = {  # what --with adds: packages by the wheel's extras
    "camera": ("opencv-python-headless",),
    "mqtt": ("paho-mqtt",),
    "serve": ("httptools", "prometheus-client", "starlette", "uvicorn"),
}
_ROOT = Path(__file__).parents[1]
_SPLITS = ("validation", "evaluation")  # for tune and for check
RESERVED = {GOLDEN, PICTURE, *(f"{split}.npz" for split in _SPLITS)}  # names that no model may have
_EPOCH = "315532800"  # the earliest time that a ZIP can hold
_UNPACKED = 4  # bytes on the disk for one of a wheel, about, with compiled byte code

Files = dict[str, bytes]


def contents(
    models: Sequence[ModelFile], system: System, offline: bool, images: int, extras: Sequence[str] = ()
) -> tuple[Files, dict[str, Any]]:
    """The files of a bundle by their names in it, and what its index says besides their hashes.

    Args:
        models: files of one folder, with validation.npz and evaluation.npz beside them.
        system: the device's.
        offline: whether the engines' wheels go in.
        images: of each split.
        extras: keys of `EXTRAS`.

    Raises:
        EdgecnnError: images are missing, the system has no engine for a model, or a wheel cannot be downloaded.
    """
    evaluation = _sample(models[0], "evaluation", images)
    engines = sorted({engine_for(system, model.manifest.format) for model in models})
    packages = [*(ENGINES[name].package for name in engines), "numpy", "pillow"]
    packages += [package for name in extras for package in EXTRAS[name]]
    packed_wheels, unpacked = _wheels(system, packages, offline)
    files = program() | _models(models, system, evaluation) | _splits(models[0], images) | packed_wheels
    index = {
        "schema": SCHEMA,
        "device": {"python": system.python, "machine": system.machine},
        "engines": engines,
        "models": [model.path.name for model in models],
        "labelled": evaluation.labels is not None or evaluation.probabilities is not None,
        "offline": offline,
        "system_site_packages": bool(system.provided),
        "needs": dict(system.provided[name] for name in packages if name in system.provided),
        "unpacked": unpacked,
    }
    return files, index


def _models(models: Sequence[ModelFile], system: System, evaluation: Dataset) -> Files:
    """The models, their libraries for the system, a picture to try, and golden answers of the engines here."""
    files = {f"{MODELS}/{model.path.name}": model.data for model in models}
    for model in models:
        files |= _libraries(model.path, system)
    files[f"{MODELS}/{PICTURE}"] = _picture(models[0], evaluation)
    progress("asking the engines here")
    files[f"{MODELS}/{GOLDEN}"] = make([model.path for model in models], evaluation.sample(GOLDEN_IMAGES).images)
    progress("")
    return files


def _picture(model: ModelFile, evaluation: Dataset) -> bytes:
    """A PNG to try: the wheel's own picture for a model of drawn characters, else the first image to be evaluated."""
    if model.manifest.input.frame:
        return read_file(SHIPPED.with_name(PICTURE))
    from PIL import Image

    image, buffer = evaluation.images[0], io.BytesIO()
    Image.fromarray(np.squeeze(image, axis=2) if image.shape[2] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def _splits(model: ModelFile, images: int) -> Files:
    """The images beside a model, as the bytes of .npz files."""
    files = {}
    with tempfile.TemporaryDirectory() as scratch:
        for split in _SPLITS:
            path = Path(scratch) / f"{split}.npz"
            _sample(model, split, images).save(path)
            files[f"{MODELS}/{path.name}"] = read_file(path)
    return files


def _sample(model: ModelFile, split: str, images: int) -> Dataset:
    """Images of a split beside a model, with the float model's answers."""
    path = model.path.with_name(f"{split}.npz")
    if not path.exists():  # of an adopted model
        raise EdgecnnError(f"{path} is missing: numpy.savez makes one, of raw pixels (uint8) as images, and labels")
    return read_dataset(path, model.manifest).sample(images)


def _libraries(model: Path, system: System) -> Iterator[tuple[str, bytes]]:
    """The library of a model's C for a system, and its description, if they lie beside the model."""
    path = description_file(model)
    try:
        library = json.loads(read_file(path))["libraries"].get(system.library) if path.exists() else None
        names = [path.name, str(library["file"])] if library else []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EdgecnnError(f"{path} cannot be read ({error!r}): build it again with python -m convert.c") from None
    if not all(map(is_plain, names)):
        raise EdgecnnError(f"{path} names a library in another folder: build it again with python -m convert.c")
    for name in names:
        yield f"{MODELS}/{name}", read_file(model.with_name(name))


def _wheels(system: System, packages: Sequence[str], offline: bool) -> tuple[Files, int]:
    """The wheels, with a requirements.txt that has the hash of each; and about how many bytes they unpack to.

    Without `offline` the wheels of edgecnn and of pip are all: the device downloads the others.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (pip,) = locked(INSTALLER).values()
        fetch(pip, folder)
        own = _own_wheel(folder)
        entries = [*download(system, packages, folder), pip]
        entries.append(f"edgecnn=={__version__} --hash=sha256:{sha256(read_file(own))}")
        kept = sorted(folder.glob("*.whl")) if offline else [own, *folder.glob("pip-*.whl")]
        files = {f"{WHEELS}/{wheel.name}": read_file(wheel) for wheel in kept}
        files[f"{WHEELS}/requirements.txt"] = "".join(f"{entry}\n" for entry in entries).encode()
        return files, _UNPACKED * sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))


def _own_wheel(folder: Path) -> Path:
    """Build the wheel `edgecnn` in a folder: the same bytes for the same sources."""
    words = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": _EPOCH, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    pip = (sys.executable, "-m", "pip", *words, _ROOT / "runtime")
    run_program(*pip, failure="the wheel edgecnn could not be built", env=environment)
    (wheel,) = folder.glob("edgecnn-*.whl")
    return wheel
