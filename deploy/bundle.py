"""Make a bundle: one file with all that a device needs to run models, and to prove there that nothing was lost.

It holds the wheel, the models, validation and evaluation images, golden answers of each engine, the wheels of engines
and numpy for a target (--offline), and an index with the SHA-256 of every file. It installs itself: `python3
NAME.bundle` on the device (see deploy/install.py), or `python -m deploy.fleet` on many. The same inputs give the same
bytes.

Without --offline the device fetches the engines' wheels from its package index, by their hashes. With --sign KEY, an
SSH key, devices that have an allowed_signers file take the bundle only if the signature is of one of those.

Examples:
  python -m deploy.bundle --target pi4-bookworm --offline
  python -m deploy.bundle artifacts/mnist/model_int8.tflite --target pi5-trixie --sign ~/.ssh/id_ed25519
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deploy.install import INDEX, NAMESPACE, SCHEMA, SIGNATURE
from deploy.targets import INSTALLER, TARGETS, Target, fetch, locked, wheels
from edgecnn import __version__, arguments
from edgecnn.command import OK, command, parser, print_json, progress
from edgecnn.dataset import Dataset, read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, sha256, write_file, zip_members
from edgecnn.golden import FILE as GOLDEN
from edgecnn.golden import make
from edgecnn.modelfile import ModelFile, newest_model, read_model
from edgecnn.native import description

ROOT = Path(__file__).parents[1]
IMAGES, GOLDEN_IMAGES = 1000, 16  # of each split; for golden answers
_EPOCH = "315532800"  # the earliest time that a ZIP can hold


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m deploy.bundle`."""
    made = parser("python -m deploy.bundle", __doc__)
    made.add_argument("models", type=Path, nargs="*", help="model files (default: model_int8.tflite of the newest)")
    made.add_argument("--target", choices=TARGETS, required=True, metavar="TARGET", help=", ".join(TARGETS))
    made.add_argument("--offline", action="store_true", help="with the engines' wheels, for a board without network")
    sample = arguments.count(GOLDEN_IMAGES)
    made.add_argument("--images", type=sample, default=IMAGES, help=f"of each split (default {IMAGES})")
    made.add_argument("--sign", type=Path, metavar="KEY", help="an SSH private key")
    made.add_argument("--output", type=Path, help="default: NAME-TARGET.bundle beside the first model")
    options = made.parse_args(argv)
    paths = options.models or [newest_model().with_name("model_int8.tflite")]
    if len({path.parent.resolve() for path in paths}) > 1 or len({path.name for path in paths}) < len(paths):
        raise EdgecnnError("the models of a bundle lie in one folder, each once, with their evaluation.npz")
    models = [read_model(path) for path in paths]
    files, index = contents(models, TARGETS[options.target], options.offline, options.images)
    name = re.sub("[^A-Za-z0-9]+", "-", models[0].manifest.name).strip("-") or "model"  # a folder's on the device
    index |= {"name": name, "target": options.target}
    data = packed(files, index, options.sign)
    output = options.output or paths[0].with_name(f"{name}-{options.target}.bundle")
    write_file(output, data)
    said = {"written": str(output), "bytes": len(data), "sha256": sha256(data), **index}
    if options.json:
        print_json(said)
    else:
        signed = ", signed" if options.sign else ""
        print(f"{output}   {len(data):,} bytes, {len(files)} files{signed}\non the device: python3 {output.name}")
    return OK


def contents(
    models: Sequence[ModelFile], target: Target, offline: bool, images: int
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of a bundle by their names in it, and what its index says besides their hashes."""
    files = {"__main__.py": read_file(ROOT / "deploy/install.py")}
    data = _sample(models[0], "evaluation", images)
    for model in models:
        files[f"models/{model.path.name}"] = read_file(model.path)
        files |= _libraries(model.path, target)
    progress("asking the engines here")
    files[f"models/{GOLDEN}"] = make([model.path for model in models], data.images[:GOLDEN_IMAGES])
    engines = sorted({target.engine_for(model.manifest.format) for model in models})
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for split in ("validation", "evaluation"):  # for tune and for check
            _sample(models[0], split, images).save(folder / f"{split}.npz")
            files[f"models/{split}.npz"] = read_file(folder / f"{split}.npz")
        (pip,) = locked(INSTALLER).values()
        fetch(pip, folder)
        own = _own_wheel(folder)
        entries = [*wheels(target, engines, folder), f"edgecnn=={__version__} --hash=sha256:{sha256(read_file(own))}"]
        kept = sorted(folder.glob("*.whl")) if offline else [own, *folder.glob("pip-*.whl")]
        files |= {f"wheels/{wheel.name}": read_file(wheel) for wheel in kept}
        files["wheels/requirements.txt"] = "".join(f"{entry}\n" for entry in entries).encode()
        unpacked = 4 * sum(wheel.stat().st_size for wheel in folder.glob("*.whl"))  # about, with compiled byte code
    progress("")
    index = {
        "schema": SCHEMA,
        "device": {"python": target.python, "machine": target.machine},
        "engines": engines,
        "models": [model.path.name for model in models],
        "offline": offline,
        "system_site_packages": bool(target.provided),
        "unpacked": unpacked,
    }
    return files, index


def packed(files: dict[str, bytes], index: dict[str, Any], key: Path | None) -> bytes:
    """The bytes of a bundle: a ZIP that Python runs, sealed."""
    hashes = {name: sha256(data) for name, data in sorted(files.items())}
    version = sha256(json.dumps([index, hashes], sort_keys=True).encode())[:12]
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
        raise EdgecnnError(f"--sign {key}: {done.stderr.decode().strip().splitlines()[-1]}")
    return done.stdout


def _sample(model: ModelFile, split: str, images: int) -> Dataset:
    """The first images of a split beside a model, with the float model's answers."""
    if images < GOLDEN_IMAGES:
        raise EdgecnnError(f"--images is {images}: give {GOLDEN_IMAGES} or more")
    data = read_dataset(model.path.with_name(f"{split}.npz"), model.manifest)
    first = slice(images)
    kept: dict[str, Any] = {"images": data.images[first], "indices": data.indices[first]}
    for name in ("labels", "probabilities"):
        values = getattr(data, name)
        kept[name] = None if values is None else values[first]
    return replace(data, **kept)


def _libraries(model: Path, target: Target) -> Iterable[tuple[str, bytes]]:
    """The library of a model's C for a target, and what describes it, where they lie beside the model."""
    path = description(model)
    library = json.loads(read_file(path))["libraries"].get(target.library) if path.exists() else None
    names = [path.name, library["file"]] if library else []
    return [(f"models/{name}", read_file(model.with_name(name))) for name in names]


def _own_wheel(folder: Path) -> Path:
    """The wheel `edgecnn`, the same bytes for the same sources."""
    words = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(ROOT / "runtime")]
    environment = os.environ | {"SOURCE_DATE_EPOCH": _EPOCH, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pip", *words], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != OK:
        raise EdgecnnError(f"the wheel edgecnn could not be built: {done.stderr.strip().splitlines()[-1]}")
    (wheel,) = folder.glob("edgecnn-*.whl")
    return wheel


if __name__ == "__main__":
    sys.exit(main())
