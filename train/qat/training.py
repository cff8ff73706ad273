"""Fit a model with its answers rounded, by the means of `train.fit`; write the plain model with its ranges."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.files import hash_arrays, write_file
from edgecnn.manifest import Manifest, TrainedRanges, Training
from edgecnn.pixels import normalize
from train.artifacts import pack_keras
from train.datasets import Data
from train.fit import CHECKPOINT, fit
from train.job import Job
from train.networks import Architecture
from train.parent_images import images_of
from train.qat.calibration import calibrated_ranges
from train.qat.graph import Graph
from train.qat.kernels import bits_of_layers, fitted_sizes
from train.qat.plan import plan_of
from train.qat.result import Result
from train.qat.student import RESTING, Student, Weights, student_model
from train.recipes import RECIPES, Recipe
from train.teachers import answering
from workstation.foreign_model import load_with_manifest
from workstation.layer_names import layer_in
from workstation.quantization_aware import EPOCHS, FEW_BITS
from workstation.tflite_ranges import Range

_BATCH, _PLANNED = 500, 4  # images at a time; images that the plan sees

Floats = npt.NDArray[np.float32]


def train(path: Path, manifest: Manifest | None, output: Path, options: argparse.Namespace) -> Result:
    """Fit the model at `path`, and write `output`.

    Raises:
        EdgecnnError: the model is damaged, TFLite has no integer counterpart of a layer, or as `train.fit.fit`.
    """
    model, manifest = load_with_manifest(path, manifest, options)
    data = images_of(path, manifest, options.dataset, options.data)
    inputs = normalize(data.train_images[data.splits.calibration], manifest.input)
    graph = _graph(path, model, inputs[:_PLANNED], options)
    weights = [variable.numpy() for variable in graph.variables.values()]
    sizes = [fitted_sizes(graph.variables[name].numpy()) for name in graph.coarse]
    ranges = calibrated_ranges(graph, weights, inputs, sizes)
    splits = _Splits(data, manifest)
    teacher = answering(model, manifest.output)
    job = _job(graph, weights, sizes, ranges, manifest, data, options)
    before = splits.answers(job.network.build(manifest.input.shape, len(manifest.labels)).predict_on_batch)
    folder = output.with_name(f"{output.stem}_training")
    folder.mkdir(exist_ok=True)
    exact = splits.answers(lambda images: np.exp(teacher(images)))
    fitted = fit(job, folder, options.resume, teacher, "quantization-aware training")
    after = splits.answers(fitted.model.predict_on_batch)
    student = fitted.model.get_layer("student")
    for variable, array in zip(graph.variables.values(), student.learned_weights(), strict=True):
        variable.assign(array)
    accuracy = {split: splits.accuracy(split, answers) for split, answers in after.items()}
    write_file(output, pack_keras(model, _manifest(manifest, job, student, accuracy, model)))
    (folder / CHECKPOINT).unlink()
    right, was_right = (answers["evaluation"].argmax(axis=1) == data.test_labels for answers in (after, exact))
    return Result(
        job.seed,
        fitted.epochs,
        fitted.seconds,
        {split: splits.accuracy(split, answers) for split, answers in exact.items()},
        {split: splits.accuracy(split, answers) for split, answers in before.items()},
        accuracy,
        len(right),
        int((was_right & ~right).sum()),
        int((right & ~was_right).sum()),
        _bits(graph),
        str(output),
    )


def _graph(path: Path, model: keras.Model, images: Floats, options: argparse.Namespace) -> Graph:
    try:
        graph = Graph(model, plan_of(model, images), options.weights, options.all)
    except EdgecnnError:
        raise
    except Exception as error:  # converters raise whatever they like
        layer = layer_in(str(error))
        where = f"layer {layer!r} has" if layer else "a layer has"
        raise EdgecnnError(
            f"{path}: {where} no integer counterpart in TFLite: replace it by convolutions, dense layers, pooling,"
            " sums or activations"
        ) from None
    if not graph.variables or not graph.activations:
        raise EdgecnnError(f"{path} has no weights that can be trained: its layers are frozen")
    if options.weights == FEW_BITS and not graph.coarse:
        more = "" if options.all else " but the first and the last one: say --all"
        raise EdgecnnError(f"{path} has no convolution or dense layer that can have weights of 4 bits{more}")
    return graph


def _bits(graph: Graph) -> dict[str, int]:
    """The bits of each layer's weights, where there are others than 8."""
    return bits_of_layers(graph.kernels, graph.coarse) if graph.coarse else {}


def _job(
    graph: Graph,
    weights: Weights,
    sizes: Weights,
    ranges: list[Range],
    manifest: Manifest,
    data: Data,
    options: argparse.Namespace,
) -> Job:
    recipe = _recipe(manifest, options)
    epochs = options.epochs or EPOCHS * data.repeats
    steps = epochs * -(-len(data.splits.fitted) // recipe.batch)

    def build(shape: tuple[int, ...], classes: int) -> keras.Model:
        layer = Student(graph, weights, sizes, ranges, manifest.output, steps - steps // RESTING)
        return student_model(layer, shape)

    digest = hash_arrays([*weights, *sizes, np.array(ranges)])
    network = Architecture("qat", build, digest, entry=manifest.input)
    return Job(data, network, recipe, epochs, options.seed, patience=epochs)


def _recipe(manifest: Manifest, options: argparse.Namespace) -> Recipe:
    """The images are changed as they were for the parent; no label is mixed, for the parent answers."""
    name = manifest.training.recipe if manifest.training else ""
    parent = RECIPES.get(name, RECIPES["tutorial"])
    return Recipe(
        "qat",
        epochs=EPOCHS,
        batch=128,
        learning_rate=options.learning_rate,
        holds_out_validation=True,
        cosine=True,
        distortion=parent.distortion,
        augmentation=parent.augmentation,
    )


def _manifest(parent: Manifest, job: Job, student: Student, accuracy: dict[str, float], model: keras.Model) -> Manifest:
    ends = student.graph.named(student.learned_ranges())
    saw_validation = parent.training.trained_on_validation if parent.training else False
    training = Training("qat", job.epochs, job.seed, job.data.name, job.data.sha256, saw_validation, accuracy)
    return replace(
        parent,
        weights_sha256=hash_arrays(model.get_weights()),
        training=training,
        rejection=None,
        reference=None,
        trained_ranges=TrainedRanges(parent.weights_sha256, ends, _bits(student.graph)),
    )


class _Splits:
    """The images that judge: of validation, and of the test."""

    def __init__(self, data: Data, manifest: Manifest) -> None:
        chosen = data.splits.validation
        self.images = {"validation": data.train_images[chosen], "evaluation": data.test_images}
        self.labels = {"validation": data.train_labels[chosen], "evaluation": data.test_labels}
        self.entry = manifest.input

    def answers(self, run: Callable[[Floats], Any]) -> dict[str, Floats]:
        """Probabilities by split."""
        return {
            split: np.concatenate(
                [run(normalize(images[start : start + _BATCH], self.entry)) for start in range(0, len(images), _BATCH)]
            )
            for split, images in self.images.items()
        }

    def accuracy(self, split: str, answers: Floats) -> float:
        """The share of right answers."""
        return float((answers.argmax(axis=1) == self.labels[split]).mean())
