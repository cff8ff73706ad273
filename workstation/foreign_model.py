"""A model of other tools, which has no manifest: the options that replace it, and the manifest that it gets."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn import arguments
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.labels import split_labels
from edgecnn.manifest import Input, Manifest
from edgecnn.modelfile import find_manifest
from workstation.keras_files.file_format import is_hdf5
from workstation.keras_files.loading import load_keras, weights_hash
from workstation.keras_files.saved_model import is_saved_model
from workstation.keras_predict import predict
from workstation.output_kind import ending_in_sigmoid, last_activation, output_kind, probes

if TYPE_CHECKING:
    import keras

# Scale and offset of a raw pixel, by the modes of Keras's preprocess_input and plain ones. edgecnn.pixels applies them.
NORMALIZATIONS = {
    "none": ((1.0,), (0.0,)),
    "unit": ((1 / 255,), (0.0,)),  # 0 to 1
    "tf": ((1 / 127.5,), (-1.0,)),  # -1 to 1
    "torch": (  # ImageNet's mean and standard deviation
        tuple(1 / 255 / deviation for deviation in (0.229, 0.224, 0.225)),
        tuple(-mean / deviation for mean, deviation in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)),
    ),
}


def add_foreign_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that replace a manifest."""
    foreign = parser.add_argument_group("for a model without a manifest")
    foreign.add_argument("--labels", help="separated by commas, or a file with one a line")
    foreign.add_argument("--normalization", choices=NORMALIZATIONS, help="how a raw pixel becomes an input value")
    foreign.add_argument("--pixel-scale", type=arguments.nonzero, help="... or: pixel * scale + offset")
    foreign.add_argument("--pixel-offset", type=float)


def pixel_values(path: Path, options: argparse.Namespace) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset of a raw pixel, by --normalization or --pixel-scale and --pixel-offset.

    Raises:
        EdgecnnError: neither or both are there.
    """
    if options.normalization and options.pixel_scale is None:
        return NORMALIZATIONS[options.normalization]
    if options.pixel_scale is None or options.normalization:
        choices = ", ".join(NORMALIZATIONS)
        raise EdgecnnError(f"{path} has no manifest: say --normalization ({choices}) or --pixel-scale, one of them")
    return (options.pixel_scale,), (options.pixel_offset or 0.0,)


def read_labels(path: Path, words: str | None) -> tuple[str, ...]:
    """The labels of --labels: separated by commas, or a file with one a line.

    Raises:
        EdgecnnError: there are none, or one stands twice.
    """
    if not words:
        raise EdgecnnError(f"{path} has no manifest: name its classes in order with --labels cat,dog or --labels FILE")
    return split_labels(words)


def check_labels(path: Path, labels: tuple[str, ...], columns: int) -> None:
    """Compare the number of labels with the number of outputs for an image.

    Raises:
        EdgecnnError: they differ; one output is the probability of the second of two classes.
    """
    classes = 2 if columns == 1 else columns
    if len(labels) != classes:
        one = ", as one value: the second one's probability" if columns == 1 else ""
        raise EdgecnnError(f"{len(labels)} labels, but {path} gives {classes} classes{one}")


def own_manifest(path: Path) -> Manifest | None:
    """The manifest inside a `.keras` file; None for a model of other tools."""
    if is_saved_model(path):
        return None
    data = read_file(path)
    return None if is_hdf5(data) else find_manifest(str(path), data)


def load_with_manifest(
    path: Path, manifest: Manifest | None, options: argparse.Namespace
) -> tuple["keras.Model", Manifest]:
    """The Keras model, and its manifest or the one that the options make.

    Raises:
        EdgecnnError: as `load_keras`; the weights are not those of the manifest, or an option is missing.
    """
    model = load_keras(path)
    weights_sha256 = weights_hash(path, model)
    if manifest is None:
        return _with_manifest(path, model, weights_sha256, options)
    if weights_sha256 != manifest.weights_sha256:
        raise EdgecnnError(f"{path} holds other weights than its manifest says: train again")
    return model, manifest


def _with_manifest(
    path: Path, model: "keras.Model", weights_sha256: str, options: argparse.Namespace
) -> tuple["keras.Model", Manifest]:
    """The Keras model of other tools as it is converted, and its manifest.

    A model with one output that is a logit gets its sigmoid; one whose outputs are each a probability is multi-label.
    """
    scale, offset = pixel_values(path, options)
    labels = read_labels(path, options.labels)
    entry = Input(tuple(int(side) for side in model.inputs[0].shape[1:]), scale, offset)
    outputs = predict(model, probes(entry.shape), entry)
    check_labels(path, labels, outputs.shape[1])
    model = ending_in_sigmoid(path, model, outputs)
    kind = output_kind(outputs, activation=last_activation(model))
    if kind == "sigmoids":
        print(f"{path} gives each label a probability of its own: taken as multi-label", file=sys.stderr)
    return model, Manifest(path.stem, "keras", labels, entry, weights_sha256, kind)
