"""The options of `python -m train.shrink`."""

import argparse
from pathlib import Path

from edgecnn import arguments
from train.recipes import RECIPES
from train.shrink.limits import parse_limits

METHODS = ("prune", "uniform")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options."""
    parser.add_argument("model", type=Path, nargs="?", metavar="MODEL.keras", help="the parent (default: the newest)")
    parser.add_argument(
        "--budget",
        action="append",
        type=parse_limits,
        default=[],
        metavar="macs=200k,…",
        help="the best network within it: macs, params, flash (bytes of constants in C), latency (of native here, us or"
        " ms), with commas; may be repeated (default: a front from half of the multiply-accumulates down)",
    )
    parser.add_argument(
        "--floor", type=arguments.share, help="the smallest network that has this accuracy in int8 on validation"
    )
    parser.add_argument(
        "--points", type=arguments.count(1, 20), default=5, help="networks of a front, or tried for --floor (default 5)"
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="prune",
        help="prune: by importance, from the parent's weights (default); uniform: all layers alike, new weights",
    )
    parser.add_argument("--recipe", choices=RECIPES, help="how to fit again (default: the parent's)")
    parser.add_argument("--epochs", type=arguments.count(), help="for each network (default: the recipe's)")
    parser.add_argument("--seed", type=arguments.seed, default=0, help="of order and distortions (default 0)")
    parser.add_argument("--dataset", metavar="NAME", help="mnist, digits or a folder (default: the parent's)")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="holds MNIST's four files or others like them")
    parser.add_argument("--labels", help="with --data: the classes")
    parser.add_argument("--resume", action="store_true", help="go on with a run of the same options that was cut off")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: front/ beside the model")
