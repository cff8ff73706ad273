"""The float model that a conversion starts from, and the images that calibrate it and judge the result."""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convert.variant import Variant
from edgecnn.answers import as_probabilities, decided
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import one_answer, read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.manifest import Manifest
from workstation.foreign_model import load_with_manifest, own_manifest, pixel_values, read_labels
from workstation.keras_predict import predict
from workstation.rejection import check_reject

if TYPE_CHECKING:
    import keras

LEAST_CALIBRATION, FEW_CALIBRATION = 10, 100  # images: fewer are an error, fewer are a warning


@dataclass(frozen=True)
class Parent:
    """A trained Keras model, its manifest, and its images with the probabilities that it gives them."""

    path: Path
    model: "keras.Model"
    manifest: Manifest
    calibration: Dataset
    validation: Dataset  # every gate reads this
    evaluation: Dataset | None  # the test split; no gate reads it
    reject: float = 0.0  # the share of --reject, by default the training's; 0 where no answer is `unknown`

    @property
    def validation_labels(self) -> npt.NDArray[np.int64]:
        """The labels of the validation images, or the float model's answers if there are none."""
        return np.asarray(self.validation.labels)


def load_parent(path: Path, options: argparse.Namespace) -> Parent:
    """Load a model and its images.

    Args:
        path: a `.keras` or `.h5` file, or a SavedModel.
        options: of `convert.options.add_parent_options`.

    Raises:
        EdgecnnError: a file is missing or damaged; the model has no manifest and an option that replaces it is
            missing; or the images are not for this model.
    """
    manifest = own_manifest(path)
    if manifest is not None and manifest.format != "keras":
        raise EdgecnnError(f"{path} is a {manifest.format} model already: name the .keras file it was made from")
    _check_before_loading(path, manifest, options)
    return _with_images(path, *load_with_manifest(path, manifest, options), options)


def _check_before_loading(path: Path, manifest: Manifest | None, options: argparse.Namespace) -> None:
    """Refuse missing options and images of another model before Keras is loaded, which takes seconds."""
    if manifest is None:
        if options.calibration is None:
            raise EdgecnnError(f"{path} has no manifest: say --labels, --normalization and --calibration")
        pixel_values(path, options), read_labels(path, options.labels)
        return
    for split in ("calibration", "validation"):
        data = read_dataset(getattr(options, split) or path.with_name(f"{split}.npz"), manifest)
        is_named = manifest.trained_ranges and getattr(options, split)
        if data.source and data.source.weights_sha256 not in _judges(manifest) and not is_named:
            raise EdgecnnError(f"{path} and the {split} images come from different trainings: train again")


def _with_images(path: Path, model: "keras.Model", manifest: Manifest, options: argparse.Namespace) -> Parent:
    """Read the images, and let Keras answer those that lack its probabilities."""
    is_ours = manifest.training is not None
    calibration = _calibration(path, manifest, options)
    source = options.validation or (path.with_name("validation.npz") if is_ours else None)
    validation = read_dataset(source, manifest) if source else _also_for_validation(calibration)
    test = path.with_name("evaluation.npz")
    evaluation = read_dataset(test, manifest) if is_ours and test.exists() else None
    parent = Parent(
        path,
        model,
        manifest,
        calibration,
        _with_probabilities(model, manifest, validation),
        evaluation and _with_probabilities(model, manifest, evaluation),
        _reject(path, manifest, validation, options.reject),
    )
    _warn(parent)
    return parent


def _reject(path: Path, manifest: Manifest, validation: Dataset, wanted: float | None) -> float:
    """The share of --reject, by default the training's; with a warning if the network saw the images of validation.

    Raises:
        EdgecnnError: validation has no labels, or the images of the model show several.
    """
    share = wanted if wanted is not None else manifest.rejection.share if manifest.rejection else 0.0
    if share:
        check_reject(manifest, validation)
    if share and validation.source and validation.source.trained_on:
        fix = f"train with --reject {share:g}, which keeps them out of the fit"
        print(f"warning: {path} was fitted to the validation images: {fix}", file=sys.stderr)
    return share


def _calibration(path: Path, manifest: Manifest, options: argparse.Namespace) -> Dataset:
    images = draw(
        read_dataset(options.calibration or path.with_name("calibration.npz"), manifest), options.calibration_count
    )
    if len(images) < LEAST_CALIBRATION:
        raise EdgecnnError(f"{len(images)} images for calibration: give {LEAST_CALIBRATION} or more, better hundreds")
    if len(images) < FEW_CALIBRATION:
        print(f"warning: {len(images)} images for calibration; ranges need {FEW_CALIBRATION}", file=sys.stderr)
    return images


def draw(data: Dataset, count: int | None) -> Dataset:
    """`count` images drawn from `data` with a fixed seed; all of them for None.

    Raises:
        EdgecnnError: there are not so many.
    """
    if count is None:
        return data
    if not 0 < count <= len(data):
        raise EdgecnnError(f"--calibration-count {count}: there are {len(data)} images")
    return data.sample(count)


def _also_for_validation(calibration: Dataset) -> Dataset:
    """The calibration images as validation images, with a note that they are."""
    return replace(calibration, notes=(*calibration.notes, "no --validation: the calibration images judge as well"))


def has_trained_ranges(path: Path) -> bool:
    """Whether train.qat wrote a model."""
    manifest = own_manifest(path)
    return manifest is not None and manifest.trained_ranges is not None


def check_trained(path: Path, variant: Variant) -> None:
    """Refuse to convert with the ranges of train.qat where there are none.

    Raises:
        EdgecnnError: there are none.
    """
    if variant.trained and not has_trained_ranges(path):
        raise EdgecnnError(
            f"{path} has no trained ranges: python -m train.qat {path} writes model_qat.keras, name that"
        )


def _judges(manifest: Manifest) -> tuple[str, ...]:
    """The weights whose answers judge a conversion: the model's own, or those that train.qat started from."""
    trained = manifest.trained_ranges
    return (manifest.weights_sha256, *([trained.parent_sha256] if trained else []))


def _with_probabilities(model: "keras.Model", manifest: Manifest, data: Dataset) -> Dataset:
    """`data` with the float model's probabilities; if it has no labels, with the float model's answers as labels."""
    probabilities = data.probabilities
    if data.source is None or data.source.weights_sha256 not in _judges(manifest) or probabilities is None:
        probabilities = as_probabilities(predict(model, data.images, manifest.input), manifest.output)
    labels = decided(probabilities, manifest.multi_label) if data.labels is None else data.labels
    return replace(data, labels=labels, probabilities=probabilities, notes=_notes(manifest, data, probabilities))


def _notes(manifest: Manifest, data: Dataset, probabilities: npt.NDArray[np.float32]) -> tuple[str, ...]:
    """Notes on images, with what the float model's answers add."""
    unlabelled = ["without labels: the float model's own answers are taken as right"] if data.labels is None else []
    same = [] if manifest.multi_label else one_answer(probabilities.argmax(axis=1), manifest.labels, "the float model")
    return tuple(dict.fromkeys((*data.notes, *unlabelled, *same)))


def _warn(parent: Parent) -> None:
    """Print what is wrong with the images, before hours of work."""
    splits = {"calibration": parent.calibration, "validation": parent.validation}
    warnings = [f"{name}: {warning}" for name, split in splits.items() for warning in split.warnings]
    for line in dict.fromkeys(warnings):
        print(f"warning: {line}", file=sys.stderr)
