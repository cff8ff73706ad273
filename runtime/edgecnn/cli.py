"""Classify images on the edge, and prove on the device that nothing was lost.

edgecnn doctor                  this machine, its engines, and what to install
edgecnn info [MODEL]            what a model file says of itself
edgecnn classify [IMAGE...]     a label for each image
edgecnn check MODEL DATA        accuracy, flips against the float model, verdict
edgecnn golden FOLDER           answers beside those of the machine that converted the models
edgecnn bench [MODEL]           latency and throughput on this machine
edgecnn tune FOLDER             the fastest of a folder's models, engines and thread counts that passes check
edgecnn watch SOURCE            a label for each frame of a folder that fills, a video, a camera, or stdin
edgecnn serve [MODEL]           a page, an inference server and metrics, for a browser and for programs
edgecnn service ACTION          keeps watch or serve running, from boot on

The default model is the MNIST classifier inside this package; in a bundle, the bundle's models. The default image is
the picture beside the model.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecnn import __version__, arguments
from edgecnn.command import add_json, command
from edgecnn.engines import engine_names
from edgecnn.errors import EdgecnnError
from edgecnn.option_parser import Parser
from edgecnn.options import (
    add_answer_options,
    add_engine_option,
    add_engine_options,
    add_method_options,
    add_model_argument,
    add_model_option,
    add_threshold_option,
)
from edgecnn.shipped import model_path
from edgecnn.source_names import WIDTHS


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `edgecnn`."""
    options = _parser().parse_args(argv)
    module, function = options.run
    try:
        commands = importlib.import_module(module)
    except ImportError as error:  # Debian's or pip's numpy, half installed
        raise EdgecnnError(f"{' '.join(str(error).split())[:200]}: see edgecnn doctor") from None
    return int(getattr(commands, function)(options))


def _parser() -> argparse.ArgumentParser:
    top = Parser(prog="edgecnn", description=__doc__)
    top.add_argument("--version", action="version", version=f"edgecnn {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    commands.type = str  # its own parser looks at what follows it

    def add(name: str, purpose: str, module: str, function: str = "run") -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=purpose, description=purpose)
        parser.set_defaults(run=(f"edgecnn.{module}", function))
        return parser

    add_json(add("doctor", "this machine, its engines, and what to install", "doctor"))

    info = add("info", "what a model file says of itself", "info")
    add_model_argument(info, "a file that edgecnn wrote, or a folder")
    add_json(info)

    classify = add("classify", "a label for each image", "commands", "classify")
    classify.add_argument(
        "images", type=Path, nargs="*", metavar="IMAGE", help="PNG, JPEG, … (default: picture.png beside the model)"
    )
    classify.add_argument("--camera", metavar="SOURCE", help="what a camera sees now: csi, auto, 0, a stream's URL")
    add_model_option(classify)
    add_threshold_option(classify)
    add_engine_options(classify)
    add_json(classify)

    check = add("check", "accuracy, flips against the float model, verdict", "commands", "check")
    check.add_argument("model", type=model_path, metavar="MODEL", help="a .tflite or .onnx file")
    check.add_argument("data", type=Path, metavar="DATA", help="an .npz of training, or a folder of class folders")
    check.add_argument(
        "--max-drop", type=arguments.share, help="share of right answers that may be lost (default: the manifest's)"
    )
    add_engine_options(check)
    add_json(check)

    golden = add("golden", "answers beside those of the machine that converted the models", "golden")
    golden.add_argument("folder", type=Path, metavar="FOLDER", help="holds the models and golden.npz")
    add_engine_option(golden, "only this one")
    golden.add_argument(
        "--make", action="store_true", help="write golden.npz, of evaluation.npz there, by the engines here"
    )
    add_json(golden)

    bench = add("bench", "latency and throughput on this machine", "bench")
    add_model_argument(bench, "a .tflite or .onnx file, or a folder that was tuned")
    add_engine_option(bench, f"auto (default), all, {engine_names()}", "auto", "all")
    bench.add_argument(
        "--threads", type=arguments.counts(), default=[1], metavar="N,…", help="threads for one inference (default 1)"
    )
    batches = arguments.counts(1, arguments.BATCH)
    bench.add_argument("--batch", type=batches, default=[1], metavar="N,…", help="images a call (default 1)")
    bench.add_argument(
        "--workers", type=arguments.counts(), default=[], metavar="N,…", help="throughput with as many workers too"
    )
    bench.add_argument("--data", type=Path, help="images (default: evaluation.npz beside the model, else noise)")
    add_method_options(bench)
    add_json(bench)

    tune = add("tune", "the fastest model, engine and thread count of a folder that passes check", "tune")
    tune.add_argument("folder", type=Path, metavar="FOLDER", help="holds the models and validation.npz")
    tune.add_argument("--data", type=Path, help="labelled images (default: validation.npz in the folder)")
    tune.add_argument(
        "--threads", type=arguments.counts(), metavar="N,…", help="thread counts to try (default 1, 2, … cores)"
    )
    add_json(tune)

    _add_watch_options(
        add("watch", "a line of JSON for each frame of a folder that fills, a video, a camera, or stdin", "watch")
    )
    _add_service(add("service", "keeps watch or serve running, from boot on, by systemd", "service", "status"))
    _add_serve_options(add("serve", "a page, an inference server and metrics", "serve.start"))
    return top


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options of a command line, checked."""
    return _parser().parse_args(words)


def _add_service(service: argparse.ArgumentParser) -> None:
    add_json(service)
    actions = service.add_subparsers(required=True, metavar="ACTION")
    purposes = {
        "install": "write a unit for this command, start it now and at each boot",
        "status": "whether it runs",
        "logs": "what it printed",
        "remove": "stop it, and remove the unit",
    }
    for name, purpose in purposes.items():
        action = actions.add_parser(name, help=purpose, description=purpose)
        action.set_defaults(run=("edgecnn.service", name))
        name_of = "edgecnn-COMMAND" if name == "install" else "the only one there is"
        action.add_argument("--name", type=arguments.unit, help=f"of the service (default: {name_of})")
        if name == "logs":
            action.add_argument("--lines", type=arguments.count(), default=50, help="of the journal (default 50)")
            action.add_argument("--follow", action="store_true", help="and those to come")
        if name == "install":
            action.add_argument("--print", action="store_true", help="show the unit, and do nothing")
            action.add_argument(
                "--write", type=Path, action="append", default=[], metavar="FOLDER", help="a folder that it may write"
            )
            action.add_argument(
                "words", nargs=argparse.PARSER, metavar="COMMAND", help="watch or serve, with its arguments"
            )


def _add_serve_options(serve: argparse.ArgumentParser) -> None:
    add_model_argument(serve, "a .tflite or .onnx file, or a folder that was tuned")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    serve.add_argument("--port", type=arguments.count(0, 65535), default=8080, help="default 8080; 0 takes a free one")
    serve.add_argument("--token-file", type=Path, metavar="FILE", help="holds the token that others must send")
    serve.add_argument("--open", action="store_true", help="let everybody ask who reaches the address, without a token")
    serve.add_argument("--camera", metavar="SOURCE", help="classify what a camera sees: csi, auto, 0, a URL")
    serve.add_argument(
        "--workers", type=arguments.count(1, 64), help="requests that are answered at once (default: cores)"
    )
    serve.add_argument(
        "--queue", type=arguments.count(0, 10_000), default=128, help="requests that may wait beside them (default 128)"
    )
    add_threshold_option(serve)
    add_engine_options(serve)
    add_json(serve)
    add_answer_options(serve)


def _add_watch_options(watch: argparse.ArgumentParser) -> None:
    watch.add_argument(
        "source", metavar="SOURCE", help="a folder, a video, a camera (csi, auto, 0), a URL, or - for stdin"
    )
    add_model_option(watch)
    watch.add_argument("--new-only", action="store_true", help="leave out the pictures that a folder holds already")
    watch.add_argument("--fps", type=arguments.positive, help="at most so many frames a second")
    add_threshold_option(watch)
    watch.add_argument("--frames", type=arguments.count(1, 10**12), help="stop after so many")
    watch.add_argument(
        "--size",
        type=arguments.size,
        metavar="WxH",
        help="of raw frames, or of a CSI camera",
    )
    watch.add_argument("--pixels", choices=WIDTHS, help="of raw frames (default: grey or rgb, as the model)")
    watch.add_argument("--stride", type=arguments.count(), help="bytes from row to row of raw frames with gaps")
    add_engine_options(watch)
    add_answer_options(watch)


if __name__ == "__main__":
    sys.exit(main())
