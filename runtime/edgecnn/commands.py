"""The commands `edgecnn classify` and `check`."""

import argparse
import time
from pathlib import Path

from edgecnn import PICTURE
from edgecnn.check import as_document
from edgecnn.check import check as check_model
from edgecnn.classifier import Classifier
from edgecnn.command import GATE_FAILED, OK, print_json, quiet, table
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_dataset
from edgecnn.errors import EdgecnnError
from edgecnn.flips import listed_images
from edgecnn.image_folders import left_out
from edgecnn.manifest import Manifest
from edgecnn.message import Message, answer_message
from edgecnn.model_opening import open_model
from edgecnn.prediction import Prediction
from edgecnn.verdict import Report

_SETTLING = 1.0  # seconds that a camera gets for its exposure
_SHOWN = 12  # of the files left out, with the reason; --json has all


def classify(options: argparse.Namespace) -> int:
    """The command `edgecnn classify`; if some images cannot be read, it answers the others first."""
    classifier = open_model(options.model, options.engine, options.threads, options.threshold)
    if options.camera:
        if options.images:
            raise EdgecnnError("--camera takes a picture of its own: leave the images out")
        _print_answers(classifier, [_looked(classifier, options.camera)], options.json)
        return OK
    answers, unread = [], []
    with quiet():  # decoders murmur on stderr
        for path in options.images or [classifier.path.with_name(PICTURE)]:
            start = time.perf_counter()
            try:
                answers.append((path, classifier.classify(path), time.perf_counter() - start))
            except EdgecnnError as error:
                unread.append(str(error))
    if answers:
        _print_answers(classifier, answers, options.json)
    if unread:
        raise EdgecnnError("; ".join(dict.fromkeys(unread)))  # without Pillow all say the same
    return OK


def _looked(classifier: Classifier, source: str) -> tuple[Path, Prediction, float]:
    """What a camera sees, once its exposure has settled: its name and the frame's number, the answer, seconds."""
    from edgecnn.live import Live  # not for who has pictures

    settled = time.monotonic() + _SETTLING
    with Live(source) as live:
        shot = next(shot for shot in live.shots() if time.monotonic() >= settled)
        name = Path(live.name.removeprefix("camera "), str(shot.number))
    start = time.perf_counter()
    prediction = classifier.classify(shot.picture.channels(classifier.manifest.input.shape[2]))
    return name, prediction, time.perf_counter() - start


def _print_answers(classifier: Classifier, answers: list[tuple[Path, Prediction, float]], as_json: bool) -> None:
    if as_json:
        print_json([{"image": str(answer[0])} | _message(classifier, *answer) for answer in answers])
    elif classifier.manifest.multi_label:
        print(table(("image", "labels"), [(str(path), _several(prediction)) for path, prediction, _ in answers]))
    else:
        rows = [(str(path), prediction.label, f"{prediction.probability:.3f}") for path, prediction, _ in answers]
        print(table(("image", "label", "probability"), rows))


def _message(classifier: Classifier, path: Path, prediction: Prediction, seconds: float) -> Message:
    return answer_message(classifier, prediction, str(path.parent), path.name, seconds)


def _several(prediction: Prediction) -> str:
    """The labels that an image shows, with their probabilities."""
    return ", ".join(f"{label} {value:.3f}" for label, value in prediction.shown().items()) or "none"


def check(options: argparse.Namespace) -> int:
    """The command `edgecnn check`: `GATE_FAILED` if a rule is broken."""
    classifier = open_model(options.model, options.engine, options.threads)
    with quiet():  # decoders murmur on stderr
        data = read_dataset(options.data, classifier.manifest)
    report = check_model(classifier, data, options.max_drop)
    if options.json:
        document = {"model": str(options.model), "engine": classifier.engine, "data": str(options.data)}
        print_json(document | as_document(report, data))
    else:
        rows = _verdict(options.data, report, data, classifier.manifest)
        print(table(("", f"{options.model} on {classifier.engine}"), rows))
        if report.scores:
            print(f"\n{report.scores.as_table()}")
    return GATE_FAILED if report.failures else OK


def _verdict(path: Path, report: Report, data: Dataset, manifest: Manifest) -> list[tuple[str, str]]:
    low, high = report.interval
    rejection = manifest.rejection
    rows = [
        ("data", f"{path}, {report.images:,} images{_trained_on(data)}"),
        *(("left out", f"{name}: {why}") for name, why in list(data.unread.items())[:_SHOWN]),
        ("accuracy", f"{report.accuracy:.4f}   95 % interval {low:.4f} to {high:.4f}"),
    ]
    if report.reliability:
        rows.append(("calibration", report.reliability.calibration_words(rejection)))
    if report.reliability and rejection:
        rows.append(("unknown", report.reliability.coverage_words(rejection.threshold)))
    rows.append(("mistakes", listed_images(report.wrong, data.indices)))
    if report.scores and report.scores.confusions:
        rows.append(("confused", report.scores.confused))
    rows += [(name, f"{label.accuracy:.4f} of it alone") for name, label in report.by_label.items()]
    if report.baseline:
        rows.append(("baseline", f"{report.baseline.accuracy} - {report.max_drop}"))
    if report.flips:
        rows += [
            (name, listed_images(getattr(report.flips, name), data.indices)) for name in ("lost", "gained", "changed")
        ]
    else:
        rows.append(("flips", "unknown: the data does not hold the float model's answers"))
    notes = (*left_out(data.unread, report.images), *report.notes)
    return [*rows, ("verdict", _words(report)), *(("", note) for note in notes)]


def _trained_on(data: Dataset) -> str:
    return ", seen in training" if data.source and data.source.trained_on else ""


def _words(report: Report) -> str:
    why = report.failures if report.rules else ("no baseline and no answers of the float model to compare with",)
    return "   ".join((report.verdict, *why))
