"""The command `edgecnn info`: what a model file says of itself."""

import argparse
from collections.abc import Iterator
from dataclasses import asdict

from edgecnn.command import OK, print_json, table
from edgecnn.engines import engines_of
from edgecnn.files import sha256
from edgecnn.manifest import Manifest, Training
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.selection import model_file

_DIGITS = 12  # of the SHA-256 of a parent's weights
Rows = Iterator[tuple[str, str]]


def run(options: argparse.Namespace) -> int:
    """The command."""
    model = read_model(model_file(options.model))
    engines = engines_of(model.path, model.manifest.format)
    file = {"file": str(model.path), "bytes": len(model.data), "sha256": sha256(model.data)}
    if options.json:
        print_json({**file, "engines_here": engines, **asdict(model.manifest)})
    else:
        print(table(("", str(model.path)), _rows(model, engines)))
    return OK


def _rows(model: ModelFile, engines: list[str]) -> Rows:
    """All that people see."""
    manifest = model.manifest
    yield from _network(model)
    if manifest.training:
        yield from _training(manifest.training)
    yield from _answers(manifest)
    yield "tools", ", ".join(f"{name} {version}" for name, version in manifest.tools.items())
    none = "none run this format: convert it" if manifest.format == "keras" else "none installed here"
    yield "engines", " ".join(engines) or none


def _network(model: ModelFile) -> Rows:
    manifest = model.manifest
    height, width, channels = manifest.input.shape
    yield "name", manifest.name
    yield "format", f"{manifest.format}, quantization {manifest.quantization}, {len(model.data):,} bytes"
    yield "input", f"{height}x{width}x{channels} raw pixels (uint8)"
    yield "labels", " ".join(manifest.labels)
    yield "sha256", sha256(model.data)
    yield "weights", manifest.weights_sha256


def _training(training: Training) -> Rows:
    yield "training", f"{training.recipe}, {training.epochs} epochs, seed {training.seed}, {training.dataset}"
    for split, accuracy in training.accuracy.items():
        yield "trained", f"accuracy {accuracy:.4f} on {split}"
    if training.teacher_seeds:
        yield "teachers", f"seeds {' '.join(map(str, training.teacher_seeds))}"
    if training.parent_sha256:
        yield "shrunk", f"from weights {training.parent_sha256[:_DIGITS]}, within {training.budget or 'no budget'}"
    yield "commit", training.commit or "unknown"


def _answers(manifest: Manifest) -> Rows:
    if manifest.trained_ranges:
        yield "ranges", f"trained, from weights {manifest.trained_ranges.parent_sha256[:_DIGITS]}"
    if manifest.rejection:
        yield "unknown", manifest.rejection.words
    if manifest.reference:
        yield "reference", f"{manifest.reference.images:,} validation images, for drift"
    for agreement in filter(None, (manifest.agreement, manifest.reported)):
        accuracy = f"accuracy {agreement.accuracy:.4f} on {agreement.split} ({agreement.engine})"
        yield "converted", f"{accuracy}, {agreement.lost} lost and {agreement.gained} gained against float"
