"""Classify images on the edge, and prove on the device that nothing was lost.

edgecnn doctor                  this machine, its engines, and what to install
edgecnn info [MODEL]            what a model file says of itself
edgecnn classify IMAGE...       a label for each image
edgecnn check MODEL DATA        accuracy, flips against the float model, verdict
edgecnn golden FOLDER           answers beside those of the machine that made the models
edgecnn bench [MODEL]           latency and throughput on this machine
edgecnn tune FOLDER             the fastest of a folder's models, engines and thread counts that passes check
edgecnn watch SOURCE            a label for each frame of a folder that fills, a video, a camera, or stdin

Where no model is named, the MNIST classifier inside this package is taken.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecnn import SHIPPED, __version__
from edgecnn.command import add_json, command
from edgecnn.engines import named
from edgecnn.errors import EdgecnnError


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `edgecnn`."""
    options = _parser().parse_args(argv)
    module, function = options.run
    try:
        found = importlib.import_module(module)
    except ImportError as error:  # Debian's or pip's numpy, half installed
        raise EdgecnnError(f"{' '.join(str(error).split())[:200]}: see edgecnn doctor") from None
    return int(getattr(found, function)(options))


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="edgecnn", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"edgecnn {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, purpose: str, module: str, function: str = "run") -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=purpose, description=purpose)
        made.set_defaults(run=(f"edgecnn.{module}", function))
        return made

    add_json(add("doctor", "this machine, its engines, and what to install", "doctor"))

    info = add("info", "what a model file says of itself", "commands", "info")
    info.add_argument("model", type=Path, nargs="?", default=SHIPPED, metavar="MODEL")
    add_json(info)

    classify = add("classify", "a label for each image", "commands", "classify")
    classify.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="PNG, JPEG, … (extra 'image')")
    _add_model(classify)
    _add_engine(classify)
    add_json(classify)

    check = add("check", "accuracy, flips against the float model, verdict", "commands", "check")
    check.add_argument("model", type=Path, metavar="MODEL")
    check.add_argument("data", type=Path, metavar="DATA", help="an .npz of training, or a folder of class folders")
    check.add_argument(
        "--max-drop", type=float, help="share of right answers that may be lost (default: the manifest's)"
    )
    _add_engine(check)
    add_json(check)

    golden = add("golden", "answers beside those of the machine that made the models", "golden")
    golden.add_argument("folder", type=Path, metavar="FOLDER", help="holds the models and golden.npz")
    golden.add_argument("--engine", help="only this one")
    add_json(golden)

    bench = add("bench", "latency and throughput on this machine", "bench")
    bench.add_argument("model", type=Path, nargs="?", default=SHIPPED, metavar="MODEL")
    bench.add_argument("--engine", default="auto", help=f"auto (default), all, {named()}")
    bench.add_argument(
        "--threads", type=counts, default=[1], metavar="N,…", help="threads for one inference (default 1)"
    )
    bench.add_argument("--batch", type=counts, default=[1], metavar="N,…", help="images a call (default 1)")
    bench.add_argument("--workers", type=counts, default=[], metavar="N,…", help="throughput with as many workers too")
    bench.add_argument("--data", type=Path, help="images (default: evaluation.npz beside the model, else noise)")
    add_method_options(bench)
    add_json(bench)

    tune = add("tune", "the fastest model, engine and thread count of a folder that passes check", "tune")
    tune.add_argument("folder", type=Path, metavar="FOLDER", help="holds the models and validation.npz")
    tune.add_argument("--data", type=Path, help="labelled images (default: validation.npz in the folder)")
    tune.add_argument("--threads", type=counts, metavar="N,…", help="thread counts to try (default 1, 2, … cores)")
    add_json(tune)

    watch = add("watch", "a line of JSON for each frame of a folder that fills, a video, a camera, or stdin", "watch")
    watch.add_argument("source", metavar="SOURCE", help="a folder, a video, a camera (0), or - for raw frames on stdin")
    _add_model(watch)
    watch.add_argument("--fps", type=float, help="at most so many frames a second")
    watch.add_argument("--threshold", type=float, default=0.0, help="answers less probable are 'unknown' (default 0)")
    watch.add_argument("--frames", type=_count, help="stop after so many")
    watch.add_argument("--size", type=_size, metavar="WxH", help="of raw frames (default: the model's own)")
    _add_engine(watch)
    return top


def _add_model(to: argparse.ArgumentParser) -> None:
    to.add_argument("--model", type=Path, default=SHIPPED, help="a .tflite or .onnx file, or a folder that was tuned")


def _add_engine(to: argparse.ArgumentParser) -> None:
    to.add_argument("--engine", default="auto", help=f"auto (default), {named()}")
    to.add_argument("--threads", type=int, help="threads for one inference (default 1)")


def add_method_options(to: argparse.ArgumentParser) -> None:
    """Add the options that say how long a benchmark looks."""
    to.add_argument("--quick", action="store_true", help="a fraction of a second a window: not comparable")
    to.add_argument("--seconds", type=float, help="of a window, at least (default 10): else not comparable")


def counts(text: str) -> list[int]:
    """Whole numbers from 1, separated by commas, of an option."""
    return [_count(each) for each in text.split(",")]


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def _size(text: str) -> tuple[int, int]:
    width, by, height = text.partition("x")
    if not by:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: give WIDTHxHEIGHT, as 640x480")
    return _count(width), _count(height)


if __name__ == "__main__":
    sys.exit(main())
