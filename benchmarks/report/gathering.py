"""Gather the findings of a folder: from its files, and by measuring what no file holds."""

import contextlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.latency import FILE, run_document
from benchmarks.models import setups
from benchmarks.profile import profile
from benchmarks.report.findings import Answers, Findings, Flip, MeasuredModel
from edgecnn.bench import leave_out
from edgecnn.check import answered
from edgecnn.classifier import Classifier
from edgecnn.command import progress, quiet
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_answered
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.measuring import measure
from edgecnn.modelfile import read_model
from edgecnn.programs import run_program
from edgecnn.subject import QUICK
from edgecnn.verdict import judge

BOARDS = Path(__file__).parents[1] / "reference" / "arm.json"


def gather(folder: Path) -> Findings:
    """Gather the findings of a folder.

    Raises:
        EdgecnnError: the folder holds no models, or their evaluation images do not belong to them.
    """
    run = _latencies(folder)
    manifest = read_model(folder / "model.keras").manifest
    data = read_answered(folder / "evaluation.npz", manifest)
    candidates = tuple(_candidate(folder, data, times) for times in run["results"])
    profiled = [model for model in candidates if ENGINES[model.times["engine"]].package]  # a library has no operators
    limits = {model.name: profile(folder / model.times["model"], model.times["engine"]).verdict for model in profiled}
    quantized = dict.fromkeys(model.times["model"] for model in candidates if model.manifest.quantization == "int8")
    progress(f"measuring the layers of {', '.join(quantized)}")
    with ThreadPoolExecutor() as pool:  # `_layers` waits for a process
        layers = dict(zip(quantized, pool.map(lambda name: _layers(folder / name), quantized), strict=True))
    progress("")
    boards = json.loads(BOARDS.read_bytes()) if BOARDS.exists() and manifest.name == "mnist" else None
    flips = _flips(data, manifest.labels, candidates)
    return Findings(folder, manifest, run, candidates, data, flips, limits, layers, boards, read_front(folder))


def read_front(folder: Path) -> dict[str, Any] | None:
    """The smaller forms of the model, if `python -m train.shrink` made some of these weights."""
    path = folder / "front" / "front.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # there are none, or they are not whole
        front: dict[str, Any] = json.loads(path.read_bytes())
        if front["parent"]["weights_sha256"] == read_model(folder / "model.keras").manifest.weights_sha256:
            return front
    return None


def _latencies(folder: Path) -> dict[str, Any]:
    """The content of latency.json; if it is missing or of other models, measured now."""
    path = folder / FILE
    wanted = setups([folder])
    hashes = {setup.model.name: sha256(setup.model.read_bytes()) for setup in wanted}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # it is missing, or no whole run
        run: dict[str, Any] = json.loads(path.read_bytes())
        plain = [times for times in run["results"] if times["threads"] == times["batch"] == 1]
        if {times["model"]: times["model_sha256"] for times in plain} == hashes:
            return run | {"results": plain}
    return run_document(measure(wanted, QUICK, leave_out=leave_out), QUICK)


def _candidate(folder: Path, data: Dataset, times: dict[str, Any]) -> MeasuredModel:
    path = folder / times["model"]
    progress(f"running {path.name} on {times['engine']}")
    with quiet():  # engines greet on stderr
        classifier = Classifier(path, times["engine"])
    answers, reliability = answered(classifier, data)
    labels, manifest = np.asarray(data.labels), classifier.manifest
    report = judge(labels, _parent(data), answers, manifest.baseline)
    progress("")
    return MeasuredModel(times, path.stat().st_size, manifest, answers, report, reliability)


def _parent(data: Dataset) -> Answers:
    """The float model's answers."""
    answers: Answers = np.asarray(data.probabilities).argmax(axis=1)
    return answers


def _flips(data: Dataset, labels: tuple[str, ...], candidates: tuple[MeasuredModel, ...]) -> tuple[Flip, ...]:
    parent, truth = _parent(data), np.asarray(data.labels)
    differ = np.stack([model.answers for model in candidates]) != parent
    flips = []
    for place in np.flatnonzero(differ.any(axis=0)):
        answers: dict[str, list[str]] = {}
        for model in candidates:
            if model.answers[place] != parent[place]:
                answers.setdefault(labels[model.answers[place]], []).append(model.name)
        index, label = data.indices[place].item(), labels[truth[place]]
        flips.append(Flip(index, data.images[place], label, labels[parent[place]], answers))
    return tuple(flips)


def _layers(model: Path) -> list[dict[str, Any]]:
    """The noise of an int8 model's layers, by `python -m convert.debug`; empty if that fails."""
    try:
        debugged = run_program(sys.executable, "-m", "convert.debug", model, "--json", failure="no noise of layers")
    except EdgecnnError as error:
        print(error, file=sys.stderr)
        return []
    layers: list[dict[str, Any]] = json.loads(debugged.stdout)["layers"]
    return layers
