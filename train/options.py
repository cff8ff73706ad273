"""The options of `python -m train`."""

import argparse
from pathlib import Path

from edgecnn import arguments
from train.budget import Budget, parse_budget
from train.datasets import DATA_SETS
from train.network_rows import AUTO, NETWORKS, REFERENCE
from train.recipes import RECIPES
from workstation.rejection import add_reject_option

_FOLDS = 4  # of --label-errors: each network is fitted to three quarters of the images


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options."""
    _add_training_options(parser)
    _add_network_options(parser)
    _add_image_options(parser)


def _add_training_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", choices=RECIPES, default="tutorial", help="how to fit (default tutorial)")
    parser.add_argument(
        "--epochs", type=arguments.count(), help="instead of the recipe's (few images: up to 6 times that)"
    )
    parser.add_argument("--learning-rate", type=arguments.positive, metavar="RATE", help="instead of the recipe's")
    parser.add_argument(
        "--patience", type=arguments.count(), metavar="N", help="stop N epochs after the best on validation"
    )
    add_reject_option(parser, "keeps the validation images out of the fit")
    parser.add_argument(
        "--seed",
        type=arguments.seed,
        default=0,
        help="of weights, order and distortions (default 0)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="go on with a training of the same options that was cut off"
    )
    parser.add_argument(
        "--label-errors",
        type=arguments.count(2, 20),
        nargs="?",
        const=_FOLDS,
        metavar="FOLDS",
        help=f"do not train, but list the labels that networks of FOLDS folds (default {_FOLDS}) think wrong",
    )
    parser.add_argument("--no-mirror", action="store_true", help="photos: left and right differ, as in text and hands")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default artifacts/<dataset>")


def _add_network_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("network")
    which = group.add_mutually_exclusive_group()
    sizes = "; ".join(row.size for row in NETWORKS.values())
    which.add_argument(
        "--network",
        choices=[*NETWORKS, AUTO],
        default=REFERENCE,
        help=f"{sizes}; auto: by the size and number of the images (default {REFERENCE})",
    )
    which.add_argument("--model", metavar="FILE.py:FUNCTION", help="your own network")
    group.add_argument(
        "--width", type=arguments.number(0.05, 4), metavar="FACTOR", help="of the channels of a network with a name"
    )
    group.add_argument(
        "--weights",
        metavar="FILE",
        help="start from those of a .keras or .h5 file of the same body, or from imagenet's",
    )
    group.add_argument(
        "--budget", type=parse_budget, default=Budget(), metavar="macs=5M,params=100k", help="what it may take"
    )


def _add_image_options(parser: argparse.ArgumentParser) -> None:
    images = parser.add_argument_group("images")
    images.add_argument(
        "--dataset",
        default="auto",
        metavar="NAME",
        help=f"{', '.join(DATA_SETS)} or a folder; auto: mnist, or else digits",
    )
    images.add_argument("--data", type=Path, metavar="FOLDER", help="holds MNIST's four files (or set MNIST_DIR)")
    images.add_argument(
        "--labels", help="for --data in MNIST's format: the classes, by commas or in a file with one a line"
    )
    images.add_argument(
        "--image-size", type=arguments.square, metavar="N or HxW", help="folder (default: by its images, 28 to 96)"
    )
    images.add_argument("--channels", type=int, choices=(1, 3), help="folder: grey or colour (default: by its images)")
