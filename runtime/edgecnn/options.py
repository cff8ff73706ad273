"""Options that several commands have."""

import argparse
from pathlib import Path

from edgecnn import arguments, default_model
from edgecnn.engines import ENGINES, engine_names
from edgecnn.shipped import model_path


def add_model_argument(to: argparse.ArgumentParser, purpose: str) -> None:
    """Add the argument MODEL, which may be left out."""
    purpose = f"{purpose} (default: see edgecnn --help)"
    to.add_argument("model", type=model_path, nargs="?", default=default_model(), metavar="MODEL", help=purpose)


def add_model_option(to: argparse.ArgumentParser) -> None:
    """Add the option that names a model."""
    to.add_argument(
        "--model",
        type=model_path,
        default=default_model(),
        help="a .tflite or .onnx file, a folder that was tuned, or small: a tenth of the work, in the wheel too",
    )


def add_threshold_option(to: argparse.ArgumentParser) -> None:
    """Add the option that says which answers are `unknown`."""
    to.add_argument(
        "--threshold",
        type=arguments.share,
        help="answers less probable are 'unknown' (default: the model's, by python -m train --reject; else 0)",
    )


def add_engine_options(to: argparse.ArgumentParser) -> None:
    """Add the options that name an engine and its threads."""
    add_engine_option(to, f"auto (default), {engine_names()}", "auto")
    to.add_argument(
        "--threads", type=arguments.count(), help="threads for one inference, no more than cores (default 1)"
    )


def add_engine_option(to: argparse.ArgumentParser, purpose: str, *others: str) -> None:
    """Add the option that names an engine, or one of `others`, of which the first is the default."""
    names = [*others, *ENGINES]
    to.add_argument("--engine", choices=names, default=next(iter(others), None), metavar="NAME", help=purpose)


def add_method_options(to: argparse.ArgumentParser) -> None:
    """Add the options that say how long a benchmark looks."""
    to.add_argument("--quick", action="store_true", help="a fraction of a second a window: not comparable")
    seconds = arguments.number(0, arguments.DAY)
    to.add_argument("--seconds", type=seconds, help="of a window, at least (default 10): else not comparable")


def add_answer_options(to: argparse.ArgumentParser) -> None:
    """Add the options that say what becomes of the answers to a camera's frames."""
    to.add_argument("--smooth", type=arguments.count(1, 1000), default=1, metavar="N", help="mean of the last N frames")
    to.add_argument("--on-change", action="store_true", help="only answers whose label is another than the last")
    seconds = arguments.number(0, arguments.DAY)
    to.add_argument("--hold", type=seconds, metavar="SECONDS", help="with --on-change: that a change must last")
    to.add_argument("--mqtt", metavar="URL/TOPIC", help="publish answers: mqtt://[user@]host[:port]/topic, or mqtts://")
    to.add_argument("--mqtt-password-file", type=Path, metavar="FILE", help="default: EDGECNN_MQTT_PASSWORD")
    to.add_argument("--mqtt-ca", type=Path, metavar="FILE", help="certificates that the broker's is checked against")
    to.add_argument("--keep-unsure", type=Path, metavar="FOLDER", help="keep pictures that are 'unknown'")
    to.add_argument(
        "--keep-megabytes", type=arguments.count(1, 10**6), default=64, metavar="MB", help="of them, at most (64)"
    )
    to.add_argument(
        "--drift",
        type=arguments.count(0, 10**6),
        default=500,
        metavar="N",
        help="compare the last N frames with validation (default 500; 0: do not)",
    )
