"""Write a bundle: one file with all that a device needs to run models, and to prove there that nothing was lost.

It holds the wheel, the models, validation and evaluation images, golden answers of each engine, a picture to try, the
wheels of engines, numpy and Pillow for a target (--offline), and an index with the SHA-256 of every file. It installs
itself: `python3 NAME.bundle` on the device (see deploy/install.py), or `python -m deploy.fleet` on many. The same
inputs give the same bytes; for a signed bundle SOURCE_DATE_EPOCH is one of the inputs.

Without --offline the device downloads the engines' wheels from its package index, by their hashes. With --sign KEY, an
SSH key, devices that have an allowed_signers file accept the bundle only if that file names the key, and if the bundle
is no older than the last one. After the day of --expires no device accepts it.

Examples:
  python -m deploy.bundle --target pi4-bookworm --offline
  python -m deploy.bundle artifacts/mnist/model_int8.tflite --target pi5-trixie --sign ~/.ssh/id_ed25519
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from deploy.bundle_contents import EXTRAS, RESERVED, contents
from deploy.index import is_plain
from deploy.packing import packed
from edgecnn import arguments
from edgecnn.command import OK, command, command_parser, print_json
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256, write_file
from edgecnn.golden import IMAGES as GOLDEN_IMAGES
from edgecnn.modelfile import ModelFile, newest_model, read_model
from workstation.boards import TARGETS

IMAGES = 1000  # of each split
_MOST_NAME = 64  # characters of a model's name in a version


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m deploy.bundle`."""
    options = _parser().parse_args(argv)
    models = _models(options.models)
    files, index = contents(models, TARGETS[options.target], options.offline, options.images, options.extras)
    name = _name(models[0])
    index |= {"name": name, "target": options.target} | _dates(options)
    bundle = packed(files, index, options.sign)
    output = options.output or models[0].path.with_name(f"{name}-{options.target}.bundle")
    write_file(output, bundle)
    if options.json:
        print_json({"written": str(output), "bytes": len(bundle), "sha256": sha256(bundle), **index})
    else:
        signed = ", signed" if options.sign else ""
        print(f"{output}   {len(bundle):,} bytes, {len(files)} files{signed}\non the device: python3 {output.name}")
        if not index["labelled"]:
            print("its images have no labels: the device compares answers with this machine's, and checks no accuracy")
    return OK


def _models(paths: Sequence[Path]) -> list[ModelFile]:
    """The models that are named, or `model_int8.tflite` beside the newest.

    Raises:
        EdgecnnError: they lie in different folders, or one has a name that a bundle cannot hold.
    """
    paths = paths or [newest_model().with_name("model_int8.tflite")]
    if len({path.parent.resolve() for path in paths}) > 1 or len({path.name for path in paths}) < len(paths):
        raise EdgecnnError("the models of a bundle lie in one folder, each once, with their evaluation.npz")
    if wrong := [path.name for path in paths if not is_plain(path.name) or path.name in RESERVED]:
        raise EdgecnnError(f"{wrong[0]!r} is no name for a model in a bundle: give the file a plain one")
    return [read_model(path) for path in paths]


def _name(model: ModelFile) -> str:
    """A model's name, as it can be part of a folder's name on the device."""
    return re.sub("[^A-Za-z0-9]+", "-", model.manifest.name)[:_MOST_NAME].strip("-") or "model"


def _dates(options: argparse.Namespace) -> dict[str, Any]:
    """When the bundle expires, and, if it is signed, when it was made: seconds since 1970."""
    expires = {"expires": options.expires} if options.expires else {}
    return expires | ({"made": int(os.environ.get("SOURCE_DATE_EPOCH") or time.time())} if options.sign else {})


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("python -m deploy.bundle", __doc__)
    parser.add_argument("models", type=Path, nargs="*", help="model files (default: model_int8.tflite of the newest)")
    parser.add_argument("--target", choices=TARGETS, required=True, metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--offline", action="store_true", help="with the engines' wheels, for a board without network")
    sample = arguments.count(GOLDEN_IMAGES)
    parser.add_argument("--images", type=sample, default=IMAGES, help=f"of each split (default {IMAGES})")
    parser.add_argument("--with", dest="extras", action="append", choices=EXTRAS, default=[], metavar="EXTRA",
                        help="camera: OpenCV, for USB cameras and videos; mqtt: paho-mqtt; serve: server")  # fmt: skip
    parser.add_argument("--sign", type=Path, metavar="KEY", help="an SSH private key")
    parser.add_argument("--expires", type=_day, metavar="YYYY-MM-DD", help="the last day on which a device accepts it")
    parser.add_argument("--output", type=Path, help="default: NAME-TARGET.bundle beside the first model")
    return parser


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a day: give YYYY-MM-DD") from None


if __name__ == "__main__":
    sys.exit(main())
