"""Train a network and write all that conversion and a device need.

It trains on MNIST, on IDX files like MNIST's, or on your own images: a folder that holds a folder of images for each
class, or such folders in train/, val/ and test/, or a ZIP file of all this. Folders may be deep; dot files and system
files (`__MACOSX`) are skipped, a picture that cannot be read is left out. The network is the reference CNN, one of
--network, or a function (shape, classes) -> Keras model, ending in a softmax, in a file of yours.

Writes into artifacts/<dataset>/:
  model.keras        the network, its manifest inside
  calibration.npz    images of the training split, for quantization
  validation.npz     other images of it: every gate and every automatic choice reads these
  evaluation.npz     the test split: it only reports
  augmented.png      what the network sees, if the recipe changes pictures
  curves.png, confusion.png, reliability.png, mistakes.png, history.json, summary.txt, logs/ (tensorboard --logdir logs)
  left_out.csv       the pictures of a folder that cannot be read, and why
  label_errors.csv   with --label-errors, which trains no model: labels that are probably wrong; label_errors.png
  checkpoint.zip     while training: --resume goes on after the last whole epoch

Examples:
  python -m train --dataset auto --seed 1
  python -m train --recipe best --resume
  python -m train --dataset leaves/ --image-size 64 --channels 3 --patience 10
  python -m train --data fashion/ --labels top,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,boot
  python -m train --dataset leaves/ --recipe photos --network auto --budget macs=5M
  python -m train --dataset leaves/ --recipe photos --label-errors
  python -m train --dataset leaves/ --model networks.py:small_resnet
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, quiet
from edgecnn.errors import EdgecnnError
from edgecnn.escape import for_terminal
from edgecnn.manifest import Baseline
from train.datasets import Data, load
from train.options import add_options
from train.recipes import RECIPES, Recipe
from train.summary import introduction, summary

if TYPE_CHECKING:
    from train.job import Fitted, Job
    from train.networks import Architecture

_UNKNOWN = "0" * 64  # in place of the hash of weights that are still to be fitted


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m train`."""
    parser = command_parser("python -m train", __doc__)
    add_options(parser)
    options = parser.parse_args(argv)
    data = load(options.dataset, options.data, options.labels, options.image_size, options.channels)
    output = options.output or Path("artifacts") / data.name
    output.mkdir(parents=True, exist_ok=True)  # better to fail now than after the training
    for line in introduction(data):
        print(for_terminal(line), file=sys.stderr)
    with quiet():  # TensorFlow greets, and takes seconds to load: so only once the input is known to be good
        from train.artifacts import write
        from train.fit import CHECKPOINT

    job = _job(options, data)
    if options.label_errors:
        return _review(job, output, options)
    fitted = _fitted(job, output, options.resume)
    result = write(output, fitted)
    (output / CHECKPOINT).unlink()
    held = _baseline_held(data.baseline, result.accuracy["evaluation"])
    if options.json:
        print_json(result.as_document() | {"baseline_held": held, "images": data.counts})
    else:
        print(summary(fitted, result, held))
    return GATE_FAILED if result.missed else OK


def _review(job: "Job", output: Path, options: argparse.Namespace) -> int:
    """Look for label errors instead of training."""
    from train.label_errors import review_labels

    review = review_labels(job, output, options.label_errors)
    if options.json:
        print_json(review.as_document())
    else:
        print(review.as_table())
    return OK


def _job(options: argparse.Namespace, data: Data) -> "Job":
    from train.job import Job

    recipe = _recipe(options)
    network = _network(options, data, recipe.normalized)
    epochs = options.epochs or recipe.epochs * data.repeats
    patience = options.patience or recipe.patience_of(epochs)
    return Job(data, network, recipe, epochs, options.seed, patience, options.reject or None)


def _network(options: argparse.Namespace, data: Data, normalized: bool) -> "Architecture":
    """The network that the options name, within the budget, with its first weights."""
    from train.named_networks import check_budget, named_network
    from train.own_network import load_network
    from train.pretrained import with_weights

    shape, classes, budget = data.train_images.shape[1:], len(data.labels), options.budget
    if not options.model:
        sizes = (options.network, options.width, shape, classes)
        network = named_network(*sizes, normalized, len(data.train_images), budget)
    elif options.width is None:
        network = load_network(options.model, shape, classes)
    else:
        raise EdgecnnError("--width is for a network with a name: --network")
    check_budget(network, budget, shape, classes)
    return with_weights(network, options.weights, shape, classes) if options.weights else network


def _recipe(options: argparse.Namespace) -> Recipe:
    """The recipe with what the options change."""
    recipe = RECIPES[options.recipe]
    if options.learning_rate is not None:
        recipe = replace(recipe, learning_rate=options.learning_rate)
    if recipe.augmentation and options.no_mirror:
        recipe = replace(recipe, augmentation=replace(recipe.augmentation, mirror=False))
    return recipe


def _fitted(job: "Job", output: Path, resume: bool) -> "Fitted":
    """The network of a job, after its teachers if the recipe has some."""
    from train.artifacts import manifest_of
    from train.fit import fit
    from train.teachers import soft_labels

    manifest_of(job, job.epochs, _UNKNOWN, {})  # reports now, and not after the last epoch, what it refuses
    _tell(job, output)
    softs = soft_labels(job) if job.recipe.teachers else None
    return fit(job, output, resume, softs)


def _tell(job: "Job", output: Path) -> None:
    """Say which classes weigh more, and show what the network is going to see."""
    from train.augmented_picture import write_augmented

    weights = job.class_weights
    if weights is not None:
        heavy, light = (job.data.labels[int(place)] for place in (weights.argmax(), weights.argmin()))
        print(
            f"classes are unequal: an image of {heavy} weighs {weights.max() / weights.min():.1f} times"
            f" as much as one of {light}",
            file=sys.stderr,
        )
    if job.recipe.augmentation:
        write_augmented(job, output)


def _baseline_held(baseline: Baseline | None, accuracy: float) -> bool | None:
    return None if baseline is None else accuracy >= baseline.accuracy - baseline.max_drop


if __name__ == "__main__":
    sys.exit(main())
