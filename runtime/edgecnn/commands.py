"""What `edgecnn info`, `classify`, `check` and `bench` do."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgecnn.apart import DiedError, apart
from edgecnn.bench import Bench, bench
from edgecnn.check import Report as CheckReport
from edgecnn.check import as_document, flipped, wilson
from edgecnn.check import check as check_model
from edgecnn.classifier import Classifier
from edgecnn.command import GATE_FAILED, OK, print_json, quiet, table
from edgecnn.dataset import Dataset, read_dataset
from edgecnn.engines import NATIVE, engines_for, engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.images import read_image
from edgecnn.manifest import Manifest
from edgecnn.modelfile import read_model


def _open(options: argparse.Namespace) -> Classifier:
    with quiet():  # engines greet on stderr
        return Classifier(options.model, options.engine, options.threads)


def info(options: argparse.Namespace) -> int:
    """The command `edgecnn info`."""
    model = read_model(options.model)
    engines = engines_of(model.path, model.manifest.format)
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


def classify(options: argparse.Namespace) -> int:
    """The command `edgecnn classify`."""
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


def check(options: argparse.Namespace) -> int:
    """The command `edgecnn check`: `GATE_FAILED` where a rule is broken."""
    classifier = _open(options)
    data = read_dataset(options.data, classifier.manifest)
    report = check_model(classifier, data, options.max_drop)
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


def measure(options: argparse.Namespace) -> int:
    """The command `edgecnn bench`."""
    kind = read_model(options.model).manifest.format
    if options.engine == "all":
        chosen = engines_of(options.model, kind)
    else:
        chosen = engines_for(kind, str(options.model))[:1] if options.engine == "auto" else [options.engine]
    pairs = [(engine, threads) for engine in chosen for threads in options.threads]
    if options.engine == "all":
        pairs = [(engine, threads) for engine, threads in pairs if engine != NATIVE or threads == 1]
    rows = [(threads, _measured(options, engine, threads)) for engine, threads in pairs]
    if options.json:
        print_json([{"model": str(options.model), "threads": threads} | found.as_document() for threads, found in rows])
    else:
        print(table(_BENCH_HEAD, (_times(threads, found) for threads, found in rows)))
        if options.workers:
            print("\n" + table(("engine", "workers", "images/s"), _throughputs(rows)))
    return OK


_BENCH_HEAD = (
    "engine",
    "threads",
    "p50 us",
    "p90 us",
    "p99 us",
    "images/s",
    "call p50",
    "load ms",
    "first ms",
    "memory",
)


def _measured(options: argparse.Namespace, engine: str, threads: int) -> Bench:
    given = (options.model, engine, threads, options.data, options.rounds, options.calls, options.workers)
    try:
        return apart(bench, *given)
    except DiedError as death:
        raise EdgecnnError(f"{engine} died of {options.model} ({death}): see edgecnn doctor") from None


def _times(threads: int, found: Bench) -> tuple[str, ...]:
    p50, p90, p99 = (f"{found.end_to_end.percentile(percent):.1f}" for percent in (50, 90, 99))
    memory = f"{found.memory_mb:.0f} MB" if found.memory_mb else "–"
    rate, call = f"{found.end_to_end.per_second:,.0f}", f"{found.engine_call.percentile(50):.1f}"
    return (
        found.engine,
        str(threads),
        p50,
        p90,
        p99,
        rate,
        call,
        f"{found.load_ms:.0f}",
        f"{found.first_ms:.1f}",
        memory,
    )


def _throughputs(rows: list[tuple[int, Bench]]) -> list[tuple[str, str, str]]:
    return [
        (found.engine, str(workers), f"{value:,.0f}")
        for threads, found in rows
        if threads == 1
        for workers, value in found.per_second.items()
    ]
