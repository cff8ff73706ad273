"""The float model that a conversion starts from, and the images that calibrate and judge what comes out."""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.keras_files.keras2 import is_hdf5
from convert.keras_files.loading import load_keras, reason, weights_hash
from convert.keras_files.saved_model import is_saved_model
from convert.output_kind import ending_in_sigmoid, last_activation, output_kind, probes
from edgecnn.answers import as_probabilities, decided
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import one_answer, read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.labels import split_labels
from edgecnn.manifest import Input, Manifest
from edgecnn.modelfile import find_manifest
from edgecnn.pixels import normalize

if TYPE_CHECKING:
    import keras

LEAST_CALIBRATION, FEW_CALIBRATION = 10, 100  # images: an error below the one, a warning below the other
# What Keras calls the modes of preprocess_input, and the plain ones: scale and offset of a raw pixel.
NORMALIZATIONS = {
    "none": ((1.0,), (0.0,)),
    "unit": ((1 / 255,), (0.0,)),  # 0 to 1
    "tf": ((1 / 127.5,), (-1.0,)),  # -1 to 1
    "torch": (  # ImageNet's mean and standard deviation
        tuple(1 / 255 / deviation for deviation in (0.229, 0.224, 0.225)),
        tuple(-mean / deviation for mean, deviation in zip((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), strict=True)),
    ),
}
_BATCH = 256
_SEED = 0  # of the images drawn from a calibration source


@dataclass(frozen=True)
class Parent:
    """A trained Keras model, what is known of it, and the images that belong to it, all with its probabilities."""

    path: Path
    model: "keras.Model"
    manifest: Manifest
    calibration: Dataset
    validation: Dataset  # every gate reads this
    evaluation: Dataset | None  # only reports


def load_parent(path: Path, options: argparse.Namespace) -> Parent:
    """Load a model and the images that belong to it.

    Raises:
        EdgecnnError: a file is missing or damaged, something that its manifest lacks was not said, or the images are
            not for this model.
    """
    manifest = own_manifest(path)
    if manifest is not None and manifest.format != "keras":
        raise EdgecnnError(f"{path} is a {manifest.format} model already: name the .keras file it was made from")
    if manifest is not None:
        manifest = _with_beside(path, manifest, options)
    elif options.calibration is None:
        raise EdgecnnError(f"{path} has no manifest: say --labels, --normalization and --calibration")
    else:
        pixel_values(path, options), read_labels(path, options.labels)  # wrong words are told before Keras is loaded
    model = load_keras(path)
    weights = weights_hash(path, model)
    if manifest is None:
        model, manifest = _foreign(path, model, weights, options)
    elif weights != manifest.weights_sha256:
        raise EdgecnnError(f"{path} holds other weights than its manifest says: train again")
    return _with_images(path, model, manifest, options)


def _foreign(
    path: Path, model: "keras.Model", weights: str, options: argparse.Namespace
) -> tuple["keras.Model", Manifest]:
    """A model of other tools as it is converted, and the manifest that it gets."""
    scale, offset = pixel_values(path, options)
    labels = read_labels(path, options.labels)
    wanted = Input(tuple(int(side) for side in model.inputs[0].shape[1:]), scale, offset)
    given = predict(model, probes(wanted.shape), wanted)
    check_labels(path, labels, given.shape[1])
    model = ending_in_sigmoid(path, model, given)
    output = output_kind(given, activation=last_activation(model))
    if output == "sigmoids":
        print(f"{path} gives each label a probability of its own: taken as multi-label", file=sys.stderr)
    return model, Manifest(path.stem, "keras", labels, wanted, weights, output)


def check_labels(path: Path, labels: tuple[str, ...], given: int) -> None:
    """Hold the labels against the values that a model gives for an image.

    Raises:
        EdgecnnError: they are not as many; one value is the second of two classes.
    """
    classes = 2 if given == 1 else given
    if len(labels) != classes:
        one = ", as one value: the second one's probability" if given == 1 else ""
        raise EdgecnnError(f"{len(labels)} labels, but {path} gives {classes} classes{one}")


def own_manifest(path: Path) -> Manifest | None:
    """What a `.keras` file of ours says of itself; None for models of other tools."""
    if is_saved_model(path):
        return None
    data = read_file(path)
    return None if is_hdf5(data) else find_manifest(str(path), data)


def _with_beside(path: Path, manifest: Manifest, options: argparse.Namespace) -> Manifest:
    """Check, before Keras is loaded, that the images beside a model of ours are there and belong to it."""
    for split in ("calibration", "validation"):
        data = read_dataset(getattr(options, split) or path.with_name(f"{split}.npz"), manifest)
        if data.source and data.source.weights_sha256 != manifest.weights_sha256:
            raise EdgecnnError(f"{path} and the {split} images come from different trainings: train again")
    return manifest


def _with_images(path: Path, model: "keras.Model", manifest: Manifest, options: argparse.Namespace) -> Parent:
    """Read the images, and let Keras answer those that it has not answered yet."""
    ours = manifest.training is not None
    calibration = read_dataset(options.calibration or path.with_name("calibration.npz"), manifest)
    calibration = drawn(calibration, options.calibration_count)
    if len(calibration) < LEAST_CALIBRATION:
        raise EdgecnnError(
            f"{len(calibration)} images for calibration: give {LEAST_CALIBRATION} or more, better hundreds"
        )
    if len(calibration) < FEW_CALIBRATION:
        print(f"warning: {len(calibration)} images for calibration; ranges need {FEW_CALIBRATION}", file=sys.stderr)
    found = path.with_name("validation.npz") if ours else None
    source = options.validation or found
    validation = read_dataset(source, manifest) if source else _judging_too(calibration)
    beside = path.with_name("evaluation.npz")
    evaluation = read_dataset(beside, manifest) if ours and beside.exists() else None
    parent = Parent(
        path,
        model,
        manifest,
        calibration,
        _answered(model, manifest, validation),
        evaluation and _answered(model, manifest, evaluation),
    )
    _warn(parent)
    return parent


def _judging_too(calibration: Dataset) -> Dataset:
    """Images for calibration that are to judge as well, as a gate has to say."""
    return replace(calibration, notes=(*calibration.notes, "no --validation: the calibration images judge as well"))


def _warn(parent: Parent) -> None:
    """Say, before hours of work, what is wrong with the images."""
    told = [f"{name}: {words}" for name in ("calibration", "validation") for words in getattr(parent, name).warnings]
    for line in dict.fromkeys(told):
        print(f"warning: {line}", file=sys.stderr)


def _answered(model: "keras.Model", manifest: Manifest, data: Dataset) -> Dataset:
    """`data` with the float model's probabilities; without labels, its answers stand for them."""
    probabilities = data.probabilities
    if data.source is None or data.source.weights_sha256 != manifest.weights_sha256 or probabilities is None:
        raw = predict(model, data.images, manifest.input)
        probabilities = as_probabilities(raw, manifest.output)
    labels = decided(probabilities, manifest.multi_label) if data.labels is None else data.labels
    return replace(data, labels=labels, probabilities=probabilities, notes=_notes(manifest, data, probabilities))


def _notes(manifest: Manifest, data: Dataset, probabilities: npt.NDArray[np.float32]) -> tuple[str, ...]:
    """What to know of images that the float model has answered now."""
    own = () if data.labels is not None else ("without labels: the float model's own answers are taken as right",)
    same = [] if manifest.multi_label else one_answer(probabilities.argmax(axis=1), manifest.labels, "the float model")
    return tuple(dict.fromkeys((*data.notes, *own, *same)))


def predict(model: "keras.Model", images: npt.NDArray[np.uint8], wanted: Input) -> npt.NDArray[np.float32]:
    """What Keras gives for raw pixels (n, height, width, channels): float32 (n, classes).

    Raises:
        EdgecnnError: the model cannot be run, or gives what is no number.
    """
    try:
        given: npt.NDArray[np.float32] = model.predict(normalize(images, wanted), batch_size=_BATCH, verbose=0)
    except Exception as error:  # layers raise whatever they like
        raise EdgecnnError(f"Keras cannot run the model: {reason(error)}") from None
    if not np.isfinite(given).all():
        raise EdgecnnError(
            "the float model gives NaN or infinity: its training failed, or pixels reach it in another range"
        )
    return given


def drawn(data: Dataset, count: int | None) -> Dataset:
    """`count` images drawn from `data` with a fixed seed; all of them for None.

    Raises:
        EdgecnnError: there are not so many.
    """
    if count is None:
        return data
    if not 0 < count <= len(data):
        raise EdgecnnError(f"--calibration-count {count}: there are {len(data)} images")
    return data.take(np.sort(np.random.default_rng(_SEED).permutation(len(data))[:count]))


def read_labels(path: Path, words: str | None) -> tuple[str, ...]:
    """Labels from the command line: separated by commas, or in a file with one a line.

    Raises:
        EdgecnnError: none were given, or one stands twice.
    """
    if not words:
        raise EdgecnnError(f"{path} has no manifest: name its classes in order with --labels cat,dog or --labels FILE")
    return split_labels(words)


def pixel_values(path: Path, options: argparse.Namespace) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and offset of a raw pixel, as the user says."""
    if options.normalization and options.pixel_scale is None:
        return NORMALIZATIONS[options.normalization]
    if options.pixel_scale is None or options.normalization:
        choices = ", ".join(NORMALIZATIONS)
        raise EdgecnnError(f"{path} has no manifest: say --normalization ({choices}) or --pixel-scale, one of them")
    return (options.pixel_scale,), (options.pixel_offset or 0.0,)
