"""What the report tells: gathered from a folder's files, and found out where no file says it."""

import contextlib
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.latency import FILE, run_document
from benchmarks.models import setups
from benchmarks.profile import profile
from edgecnn.bench import leave_out
from edgecnn.classifier import Classifier
from edgecnn.command import OK, progress, quiet
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_answered
from edgecnn.engines import ENGINES
from edgecnn.files import sha256
from edgecnn.manifest import Manifest
from edgecnn.measuring import measure
from edgecnn.modelfile import read_model
from edgecnn.programs import last_line
from edgecnn.subject import QUICK
from edgecnn.verdict import Report, judge

BOARDS = Path(__file__).parents[1] / "reference" / "arm.json"
Answers = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Subject:
    """A model on an engine."""

    times: dict[str, Any]  # a result of latency.json
    bytes: int
    quantization: str
    answers: Answers  # to the evaluation images
    report: Report

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"{self.times['model']} on {self.times['engine']}"

    @property
    def valid(self) -> bool:
        """Whether its latency is worth anything."""
        return bool(self.times["verdict"] == "VALID")

    @property
    def interval(self) -> tuple[float, float]:
        """Of the accuracy, 95 %."""
        return self.report.interval


@dataclass(frozen=True)
class Flip:
    """An image that some model answers otherwise than the float model."""

    index: int | str  # in the test split, or the file's name
    pixels: npt.NDArray[np.uint8]
    label: str
    parent: str  # the float model's answer
    answers: dict[str, list[str]]  # other answers, and the subjects that gave them


@dataclass(frozen=True)
class Facts:
    """All that the report tells."""

    folder: Path
    manifest: Manifest  # of the float model
    run: dict[str, Any]  # latency.json
    subjects: tuple[Subject, ...]
    evaluation: Dataset
    flips: tuple[Flip, ...]
    limits: dict[str, str]  # what limits each subject that can be profiled
    layers: dict[str, list[dict[str, Any]]]  # by int8 model: its layers' noise
    boards: dict[str, Any] | None

    @property
    def failures(self) -> tuple[str, ...]:
        """Rules that a model breaks."""
        return tuple(f"{each.name}: {why}" for each in self.subjects for why in each.report.failures)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the verdict: of the images, and of a loss that chance may explain."""
        judged = (f"{each.name}: {note}" for each in self.subjects for note in each.report.notes)
        return (*self.evaluation.warnings, *judged)

    @property
    def invalid(self) -> tuple[str, ...]:
        """Figures that are worth nothing, and why."""
        return tuple(
            f"{each.name}: {'; '.join(each.times['reasons'])}" for each in self.subjects if each.times["reasons"]
        )

    @property
    def verdict(self) -> str:
        """Of the accuracy: `PASS`, or `FAIL` where a model breaks a rule."""
        return "FAIL" if self.failures else "PASS"

    @property
    def latency(self) -> str:
        """Of the latencies: `VALID`, `INVALID`, or of how many."""
        valid = sum(each.valid for each in self.subjects)
        return {len(self.subjects): "VALID", 0: "INVALID"}.get(valid, f"VALID for {valid} of {len(self.subjects)}")

    @property
    def fastest(self) -> Subject:
        """Of those that break no rule, else of all, the fastest; one whose latency is valid, where there is one."""
        passing = [each for each in self.subjects if not each.report.failures] or self.subjects
        timed = [each for each in passing if each.valid] or passing
        return min(timed, key=lambda each: float(each.times["end_to_end"]["p50_us"]))


def gather(folder: Path) -> Facts:
    """Find everything out.

    Raises:
        EdgecnnError: the folder holds no models, or their evaluation images do not belong to them.
    """
    run = _latencies(folder)
    manifest = read_model(folder / "model.keras").manifest
    data = read_answered(folder / "evaluation.npz", manifest)
    subjects = tuple(_subject(folder, data, times) for times in run["results"])
    profiled = [each for each in subjects if ENGINES[each.times["engine"]].package]  # a library has no operators
    limits = {each.name: profile(folder / each.times["model"], each.times["engine"]).verdict for each in profiled}
    quantized = dict.fromkeys(each.times["model"] for each in subjects if each.quantization == "int8")
    progress(f"looking into the layers of {', '.join(quantized)}")
    with ThreadPoolExecutor() as pool:  # each in a process of its own
        layers = dict(zip(quantized, pool.map(lambda name: _layers(folder / name), quantized), strict=True))
    progress("")
    boards = json.loads(BOARDS.read_bytes()) if BOARDS.exists() and manifest.name == "mnist" else None
    flips = _flips(data, manifest.labels, subjects)
    return Facts(folder, manifest, run, subjects, data, flips, limits, layers, boards)


def _latencies(folder: Path) -> dict[str, Any]:
    """latency.json, where it is of the models that are there; else measured now."""
    path = folder / FILE
    wanted = setups([folder])
    hashes = {setup.model.name: sha256(setup.model.read_bytes()) for setup in wanted}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # it is not there, or no whole run
        run: dict[str, Any] = json.loads(path.read_bytes())
        plain = [each for each in run["results"] if each["threads"] == each["batch"] == 1]
        if {each["model"]: each["model_sha256"] for each in plain} == hashes:
            return run | {"results": plain}
    return run_document(measure(wanted, QUICK, leave_out=leave_out), QUICK)


def _subject(folder: Path, data: Dataset, times: dict[str, Any]) -> Subject:
    path = folder / times["model"]
    progress(f"asking {path.name} on {times['engine']}")
    with quiet():  # engines greet on stderr
        classifier = Classifier(path, times["engine"])
    answers = np.array([each.index for each in classifier.predict_batch(data.images)])
    labels, manifest = np.asarray(data.labels), classifier.manifest
    report = judge(labels, _parent(data), answers, manifest.baseline)
    progress("")
    return Subject(times, path.stat().st_size, manifest.quantization, answers, report)


def _parent(data: Dataset) -> Answers:
    """The float model's answers."""
    answers: Answers = np.asarray(data.probabilities).argmax(axis=1)
    return answers


def _flips(data: Dataset, labels: tuple[str, ...], subjects: tuple[Subject, ...]) -> tuple[Flip, ...]:
    parent, truth = _parent(data), np.asarray(data.labels)
    others = np.stack([each.answers for each in subjects]) != parent
    found = []
    for place in np.flatnonzero(others.any(axis=0)):
        answers: dict[str, list[str]] = {}
        for each in subjects:
            if each.answers[place] != parent[place]:
                answers.setdefault(labels[each.answers[place]], []).append(each.name)
        index, label = data.indices[place].item(), labels[truth[place]]
        found.append(Flip(index, data.images[place], label, labels[parent[place]], answers))
    return tuple(found)


def _layers(model: Path) -> list[dict[str, Any]]:
    """The noise of an int8 model's layers, by `python -m convert.debug`; none where that cannot tell."""
    words = [sys.executable, "-m", "convert.debug", str(model), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != OK:
        print(f"no noise of layers: {last_line(done.returncode, done.stderr)}", file=sys.stderr)
        return []
    layers: list[dict[str, Any]] = json.loads(done.stdout)["layers"]
    return layers
