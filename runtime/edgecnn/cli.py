"""Classify images on the edge, and prove on the device that nothing was lost.

edgecnn info MODEL              what a model file says of itself
edgecnn classify IMAGE...       a label for each image
edgecnn check MODEL DATA        accuracy, flips against the float model, verdict
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import edgecnn
from edgecnn.check import Report as CheckReport
from edgecnn.check import as_document, check, flipped, wilson
from edgecnn.classifier import Classifier
from edgecnn.command import GATE_FAILED, OK, add_json, command, print_json, quiet, table
from edgecnn.dataset import Dataset, read_dataset
from edgecnn.engines import ENGINES
from edgecnn.files import sha256
from edgecnn.images import read_image
from edgecnn.manifest import Manifest
from edgecnn.modelfile import read_model


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `edgecnn`."""
    options = _parser().parse_args(argv)
    return int(options.run(options))


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="edgecnn", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--version", action="version", version=f"edgecnn {edgecnn.__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    info = commands.add_parser("info", help="what a model file says of itself")
    info.set_defaults(run=_info)
    info.add_argument("model", type=Path, metavar="MODEL")

    classify = commands.add_parser("classify", help="a label for each image")
    classify.set_defaults(run=_classify)
    classify.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="PNG, JPEG, … (extra 'image')")
    classify.add_argument("--model", type=Path, required=True, help="a .tflite or .onnx file")

    judge = commands.add_parser("check", help="accuracy, flips against the float model, verdict")
    judge.set_defaults(run=_check)
    judge.add_argument("model", type=Path, metavar="MODEL")
    judge.add_argument("data", type=Path, metavar="DATA", help="an .npz of training, or a folder of class folders")
    judge.add_argument(
        "--max-drop", type=float, help="share of right answers that may be lost (default: the manifest's)"
    )

    for each in (classify, judge):
        each.add_argument("--engine", default="auto", help=f"auto (default), {', '.join(ENGINES)}")
        each.add_argument("--threads", type=int, default=1, help="threads for one inference (default 1)")
    for each in (info, classify, judge):
        add_json(each)
    return top


def _open(options: argparse.Namespace) -> Classifier:
    with quiet():  # engines greet on stderr
        return Classifier(options.model, options.engine, options.threads)


def _info(options: argparse.Namespace) -> int:
    model = read_model(options.model)
    engines = [kind.name for kind in ENGINES.values() if kind.format == model.manifest.format and kind.installed]
    facts = {
        "file": str(model.path),
        "bytes": len(model.data),
        "sha256": sha256(model.data),
        "engines_here": engines,
        **asdict(model.manifest),
    }
    if options.json:
        print_json(facts)
    else:
        print(table(("", str(model.path)), _facts(facts, model.manifest)))
    return OK


def _facts(facts: dict[str, Any], manifest: Manifest) -> list[tuple[str, str]]:
    height, width, channels = manifest.input.shape
    rows = [
        ("name", manifest.name),
        ("format", f"{manifest.format}, quantization {manifest.quantization}, {facts['bytes']:,} bytes"),
        ("input", f"{height}x{width}x{channels} raw pixels (uint8)"),
        ("labels", " ".join(manifest.labels)),
        ("sha256", facts["sha256"]),
        ("weights", manifest.weights_sha256),
    ]
    if manifest.training:
        training = manifest.training
        rows.append(
            ("training", f"{training.recipe}, {training.epochs} epochs, seed {training.seed}, {training.dataset}")
        )
        rows += [("float", f"accuracy {value:.4f} on {split}") for split, value in training.accuracy.items()]
    if manifest.agreement:
        found = manifest.agreement
        flips = f"{found.lost} lost and {found.gained} gained against float"
        rows.append(("converted", f"accuracy {found.accuracy:.4f} on {found.split} ({found.engine}), {flips}"))
    rows.append(("tools", ", ".join(f"{name} {version}" for name, version in manifest.tools.items())))
    rows.append(("engines", " ".join(facts["engines_here"]) or "none installed here"))
    return rows


def _classify(options: argparse.Namespace) -> int:
    classifier = _open(options)
    images = [read_image(path, classifier.manifest.input) for path in options.images]
    answers = [
        {"image": str(path), "label": found.label, "probability": round(found.probability, 6)}
        for path, found in zip(options.images, classifier.predict_batch(images), strict=True)
    ]
    if options.json:
        print_json(answers)
    else:
        rows = [(each["image"], each["label"], f"{each['probability']:.3f}") for each in answers]
        print(table(("image", "label", "probability"), rows))
    return OK


def _check(options: argparse.Namespace) -> int:
    classifier = _open(options)
    data = read_dataset(options.data, classifier.manifest)
    report = check(classifier, data, options.max_drop)
    if options.json:
        document = {"model": str(options.model), "engine": classifier.engine, "data": str(options.data)}
        print_json(document | as_document(report, data))
    else:
        print(table(("", f"{options.model} on {classifier.engine}"), _verdict(options.data, report, data)))
    return GATE_FAILED if report.failures else OK


def _verdict(path: Path, report: CheckReport, data: Dataset) -> list[tuple[str, str]]:
    low, high = wilson(report.correct, report.images)
    rows = [
        ("data", f"{path}, {report.images:,} images{_trained_on(data)}"),
        ("accuracy", f"{report.accuracy:.4f}   95 % interval {low:.4f} to {high:.4f}"),
    ]
    if report.baseline:
        rows.append(("baseline", f"{report.baseline.accuracy} - {report.max_drop}"))
    if report.flips:
        rows += [(name, flipped(data, getattr(report.flips, name))) for name in ("lost", "gained", "changed")]
    else:
        rows.append(("flips", "unknown: the data does not hold the float model's answers"))
    return [*rows, ("verdict", _words(report))]


def _trained_on(data: Dataset) -> str:
    return ", seen in training" if data.source and data.source.trained_on else ""


def _words(report: CheckReport) -> str:
    if report.verdict == "NONE":
        return "NONE   no baseline and no answers of the float model to compare with"
    return "   ".join((report.verdict, *report.failures))


if __name__ == "__main__":
    sys.exit(main())
