"""Train the reference CNN and write all that conversion and a device need.

Writes into artifacts/<dataset>/:
  model.keras        the network, its manifest inside
  calibration.npz    images of the training split, for quantization
  validation.npz     others of it: every gate and every automatic choice reads these
  evaluation.npz     the test split: it only reports
  history.json, curves.png, summary.txt

Example:
  python -m train --dataset auto --seed 1
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecnn.check import wilson
from edgecnn.command import OK, command, parser, print_json, quiet, table
from edgecnn.manifest import Baseline
from train.datasets import DATASETS, load
from train.recipes import RECIPES


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m train`."""
    options = _parser().parse_args(argv)
    recipe = RECIPES[options.recipe]
    data = load(options.dataset, options.data)
    output = options.output or Path("artifacts") / data.name
    output.mkdir(parents=True, exist_ok=True)  # better to fail now than after the training
    with quiet():  # TensorFlow greets; it takes seconds to import, so only after the input was found good
        from train.artifacts import write
        from train.fit import fit

    result = write(output, data, fit(data, recipe, options.epochs or recipe.epochs * data.repeats, options.seed))
    accuracy = result.accuracy["evaluation"]
    held = None if data.baseline is None else accuracy >= data.baseline.accuracy - data.baseline.max_drop
    if options.json:
        print_json(result.as_document() | {"baseline_held": held})
    else:
        low, high = wilson(round(accuracy * len(data.test_images)), len(data.test_images))
        sizes = f"{len(data.train_images):,} images for training, {len(data.test_images):,} for the test"
        rows = [
            ("data", f"{data.name}, {sizes}"),
            ("accuracy", f"{accuracy:.4f} on the test   95 % interval {low:.4f} to {high:.4f}"),
            ("baseline", _baseline(data.baseline, held)),
            ("time", f"{result.seconds:.0f} s, {result.epochs} epochs"),
            ("written", f"{output}/model.keras and what belongs to it"),
        ]
        print(table(("", f"recipe {recipe.name}, seed {options.seed}"), rows))
    return OK


def _baseline(baseline: Baseline | None, held: bool | None) -> str:
    if baseline is None:
        return "none for this data set"
    return f"{baseline.accuracy} - {baseline.max_drop}, {'held' if held else 'MISSED'}"


def _parser() -> argparse.ArgumentParser:
    made = parser("python -m train", __doc__)
    made.add_argument("--recipe", choices=RECIPES, default="tutorial", help="how to fit (default tutorial)")
    made.add_argument("--epochs", type=_positive, help="instead of the recipe's own number (digits: 6 times that)")
    made.add_argument("--seed", type=int, default=0, help="of weights and order of images (default 0)")
    made.add_argument("--dataset", choices=[*DATASETS, "auto"], default="auto", help="auto: mnist, or else digits")
    made.add_argument("--data", type=Path, metavar="FOLDER", help="where MNIST's four files lie (or set MNIST_DIR)")
    made.add_argument("--output", type=Path, metavar="FOLDER", help="default artifacts/<dataset>")
    return made


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
