"""Make a bundle: one file with all that a device needs to run models, and to prove there that nothing was lost.

It holds the wheel, the models, validation and evaluation images, golden answers of each engine, a picture to try, the
wheels of engines, numpy and Pillow for a target (--offline), and an index with the SHA-256 of every file. It installs
itself: `python3 NAME.bundle` on the device (see deploy/install.py), or `python -m deploy.fleet` on many. The same
inputs give the same bytes; signed ones where SOURCE_DATE_EPOCH is the same too.

Without --offline the device fetches the engines' wheels from its package index, by their hashes. With --sign KEY, an
SSH key, devices that have an allowed_signers file take the bundle only if the signature is of one of those, and if it
is no older than the last one. After the day of --expires no device takes it.

Examples:
  python -m deploy.bundle --target pi4-bookworm --offline
  python -m deploy.bundle artifacts/mnist/model_int8.tflite --target pi5-trixie --sign ~/.ssh/id_ed25519
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentTypeError
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from boards import TARGETS, System
from deploy.bundlefile import INDEX, MODELS, NAMESPACE, SCHEMA, SIGNATURE, WHEELS, is_plain
from deploy.program import program
from deploy.targets import INSTALLER, engine_for, fetch, locked, wheels
from edgecnn import PICTURE, SHIPPED, __version__, arguments
from edgecnn.command import OK, command, command_parser, print_json, progress
from edgecnn.dataset import Dataset, read_dataset
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256, write_file, zip_members
from edgecnn.golden import FILE as GOLDEN
from edgecnn.golden import IMAGES as GOLDEN_IMAGES
from edgecnn.golden import make
from edgecnn.modelfile import ModelFile, newest_model, read_model
from edgecnn.native import description

ROOT = Path(__file__).parents[1]
IMAGES = 1000  # of each split
EXTRAS = {"camera": "opencv-python-headless"}  # what --with adds
_SPLITS = ("validation", "evaluation")  # for tune and for check
_RESERVED = {GOLDEN, PICTURE, *(f"{split}.npz" for split in _SPLITS)}
_DATES = ("made", "expires")  # what leaves a version the same one
_MOST_NAME = 64  # characters of a model's name in a version
_EPOCH = "315532800"  # the earliest time that a ZIP can hold


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m deploy.bundle`."""
    parser = command_parser("python -m deploy.bundle", __doc__)
    parser.add_argument("models", type=Path, nargs="*", help="model files (default: model_int8.tflite of the newest)")
    parser.add_argument("--target", choices=TARGETS, required=True, metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--offline", action="store_true", help="with the engines' wheels, for a board without network")
    sample = arguments.count(GOLDEN_IMAGES)
    parser.add_argument("--images", type=sample, default=IMAGES, help=f"of each split (default {IMAGES})")
    parser.add_argument("--with", dest="extras", action="append", choices=EXTRAS, default=[], metavar="EXTRA",
                      help="camera: with OpenCV, for cameras and videos")  # fmt: skip
    parser.add_argument("--sign", type=Path, metavar="KEY", help="an SSH private key")
    parser.add_argument("--expires", type=_day, metavar="YYYY-MM-DD", help="the last day on which a device takes it")
    parser.add_argument("--output", type=Path, help="default: NAME-TARGET.bundle beside the first model")
    options = parser.parse_args(argv)
    paths = options.models or [newest_model().with_name("model_int8.tflite")]
    if len({path.parent.resolve() for path in paths}) > 1 or len({path.name for path in paths}) < len(paths):
        raise EdgecnnError("the models of a bundle lie in one folder, each once, with their evaluation.npz")
    if wrong := [path.name for path in paths if not is_plain(path.name) or path.name in _RESERVED]:
        raise EdgecnnError(f"{wrong[0]!r} is no name for a model in a bundle: give the file a plain one")
    models = [read_model(path) for path in paths]
    files, index = contents(models, TARGETS[options.target], options.offline, options.images, options.extras)
    name = re.sub("[^A-Za-z0-9]+", "-", models[0].manifest.name)[:_MOST_NAME].strip("-") or "model"  # of a folder there
    index |= {"name": name, "target": options.target} | ({"expires": options.expires} if options.expires else {})
    if options.sign:
        index["parser"] = int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())
    data = packed(files, index, options.sign)
    output = options.output or paths[0].with_name(f"{name}-{options.target}.bundle")
    write_file(output, data)
    said = {"written": str(output), "bytes": len(data), "sha256": sha256(data), **index}
    if options.json:
        print_json(said)
    else:
        signed = ", signed" if options.sign else ""
        print(f"{output}   {len(data):,} bytes, {len(files)} files{signed}\non the device: python3 {output.name}")
        if not index["labelled"]:
            print("its images have no labels: the device compares answers with this machine's, and checks no accuracy")
    return OK


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ArgumentTypeError(f"{text[:40]!r} is not a day: give YYYY-MM-DD") from None


def contents(
    models: Sequence[ModelFile], system: System, offline: bool, images: int, extras: Sequence[str] = ()
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of a bundle by their names in it, and what its index says besides their hashes."""
    files = program()
    data = _sample(models[0], "evaluation", images)
    for model in models:
        files[f"{MODELS}/{model.path.name}"] = model.data
        files |= _libraries(model.path, system)
    progress("asking the engines here")
    files[f"{MODELS}/{PICTURE}"] = _picture(models[0], data)
    files[f"{MODELS}/{GOLDEN}"] = make([model.path for model in models], data.images[:GOLDEN_IMAGES])
    engines = sorted({engine_for(system, model.manifest.format) for model in models})
    packages = [*(ENGINES[name].package for name in engines), "numpy", "pillow", *(EXTRAS[each] for each in extras)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for split in _SPLITS:
            _sample(models[0], split, images).save(folder / f"{split}.npz")
            files[f"{MODELS}/{split}.npz"] = read_file(folder / f"{split}.npz")
        (pip,) = locked(INSTALLER).values()
        fetch(pip, folder)
        own = _own_wheel(folder)
        entries = [*wheels(system, packages, folder), pip]
        entries.append(f"edgecnn=={__version__} --hash=sha256:{sha256(read_file(own))}")
        kept = sorted(folder.glob("*.whl")) if offline else [own, *folder.glob("pip-*.whl")]
        files |= {f"{WHEELS}/{wheel.name}": read_file(wheel) for wheel in kept}
        files[f"{WHEELS}/requirements.txt"] = "".join(f"{entry}\n" for entry in entries).encode()
        unpacked = 4 * sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))  # about, with compiled byte code
    progress("")
    index = {
        "schema": SCHEMA,
        "device": {"python": system.python, "machine": system.machine},
        "engines": engines,
        "models": [model.path.name for model in models],
        "labelled": data.labels is not None or data.probabilities is not None,
        "offline": offline,
        "system_site_packages": bool(system.provided),
        "needs": dict(system.provided[name] for name in packages if name in system.provided),
        "unpacked": unpacked,
    }
    return files, index


def packed(files: dict[str, bytes], index: dict[str, Any], key: Path | None) -> bytes:
    """The bytes of a bundle: a ZIP that Python runs, sealed."""
    hashes = {name: sha256(data) for name, data in sorted(files.items())}
    same = {key: value for key, value in index.items() if key not in (*_DATES, "version", "files")}
    version = sha256(json.dumps([same, hashes], sort_keys=True).encode())[:12]
    index = index | {"version": f"{index['name']}-{version}", "files": hashes}
    text = json.dumps(index, indent=1, sort_keys=True).encode()
    signature = {SIGNATURE: _signature(text, key)} if key else {}
    return zip_members({INDEX: text, **signature, **dict(sorted(files.items()))})


def _signature(text: bytes, key: Path) -> bytes:
    """By ssh-keygen, as allowed_signers files are for."""
    if not key.exists():
        raise EdgecnnError(f"--sign {key}: there is no such key; ssh-keygen -t ed25519 makes one")
    words = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, "-"]
    try:
        done = subprocess.run(words, input=text, capture_output=True, check=False)
    except FileNotFoundError:
        raise EdgecnnError("ssh-keygen is missing: apt-get install openssh-client") from None
    if done.returncode != OK:
        raise EdgecnnError(f"--sign {key}: {_last(done.stderr.decode(errors='replace'))}")
    return done.stdout


def _last(said: str) -> str:
    return (said.strip() or "it said nothing").splitlines()[-1]


def _picture(model: ModelFile, data: Dataset) -> bytes:
    """A picture to try: of a model of drawn characters the one that the wheel has, else the first to be evaluated."""
    if model.manifest.input.frame:
        return read_file(SHIPPED.with_name(PICTURE))
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.squeeze(data.images[0], axis=2) if data.images.shape[3] == 1 else data.images[0]).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def _sample(model: ModelFile, split: str, images: int) -> Dataset:
    """The first images of a split beside a model, with the float model's answers."""
    path = model.path.with_name(f"{split}.npz")
    if not path.exists():  # of an adopted model
        raise EdgecnnError(f"{path} is missing: numpy.savez makes one, of raw pixels (uint8) as images, and labels")
    return read_dataset(path, model.manifest).take(slice(images))


def _libraries(model: Path, system: System) -> Iterable[tuple[str, bytes]]:
    """The library of a model's C for a target, and what describes it, where they lie beside the model."""
    path = description(model)
    try:
        library = json.loads(read_file(path))["libraries"].get(system.library) if path.exists() else None
        names = [path.name, str(library["file"])] if library else []
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EdgecnnError(f"{path} cannot be read ({error!r}): build it again with python -m convert.c") from None
    if not all(map(is_plain, names)):
        raise EdgecnnError(f"{path} names a library in another folder: build it again with python -m convert.c")
    return [(f"{MODELS}/{name}", read_file(model.with_name(name))) for name in names]


def _own_wheel(folder: Path) -> Path:
    """The wheel `edgecnn`, the same bytes for the same sources."""
    words = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(ROOT / "runtime")]
    environment = os.environ | {"SOURCE_DATE_EPOCH": _EPOCH, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != OK:
        raise EdgecnnError(f"the wheel edgecnn could not be built: {_last(done.stderr)}")
    (wheel,) = folder.glob("edgecnn-*.whl")
    return wheel


if __name__ == "__main__":
    sys.exit(main())
