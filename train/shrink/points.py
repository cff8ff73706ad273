"""A point of a front: a smaller network, fitted, converted behind the gate, and measured."""

import contextlib
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np

from edgecnn.check import answered
from edgecnn.classifier import Classifier
from edgecnn.command import progress
from edgecnn.confidence import mcnemar, wilson
from edgecnn.dataset_reading import read_answered
from edgecnn.device import describe
from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.flips import find_flips
from edgecnn.manifest import Manifest
from edgecnn.modelfile import read_model
from edgecnn.native_description import description_file
from edgecnn.programs import run_program
from edgecnn.streams import quiet
from train import artifacts
from train.fit import CHECKPOINT, fit
from train.job import Fitted, Job, Softs, Teacher
from train.shrink.graph import Graph, Kept
from train.shrink.network import narrow_network
from train.shrink.parent import Parent

MODEL, INT8, POINT = "model.keras", "model_int8.tflite", "point.json"
ENGINES = ("litert", "native")
_ANY = 1.0  # share of right answers that a conversion which only measures may lose


@dataclass(frozen=True)
class Run:
    """What all points of a run share."""

    parent: Parent
    graph: Graph
    job: Job
    output: Path
    is_new: bool  # weights are new, not the parent's
    softs: Softs | Teacher | None = None

    def job_for(self, kept: Kept, budget: str) -> Job:
        """The job that fits the units that are kept."""
        weights = self.parent.manifest.weights_sha256
        return replace(self.job, network=narrow_network(self.graph, kept, self.job, weights, budget, self.is_new))


def point(run: Run, name: str, kept: Kept, budget: str) -> dict[str, Any]:
    """Make a point, or read it if it is there; one that was cut off goes on.

    Raises:
        EdgecnnError: as `train.fit.fit`; a conversion failed.
    """
    folder = run.output / name
    job = run.job_for(kept, budget)
    key = {"network": job.network.sha256, "budget": budget}
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # there is none, or it is damaged
        document: dict[str, Any] = json.loads((folder / POINT).read_bytes())
        if document["key"] == key:
            return document
    folder.mkdir(parents=True, exist_ok=True)
    fitted = fit(job, folder, (folder / CHECKPOINT).exists(), run.softs, name)
    artifacts.write(folder, fitted)
    document = {"key": key, "name": name, "folder": str(folder), "budget": budget}
    document |= {"macs": run.graph.macs(kept), "parameters": fitted.model.count_params()} | _converted(folder)
    document |= _judged(folder, run.parent) if document["converted"] else {}
    write_file(folder / POINT, json.dumps(document, indent=1).encode())
    (folder / CHECKPOINT).unlink()
    return document


def _converted(folder: Path) -> dict[str, Any]:
    """Convert a point to TFLite and C; the gate may refuse it."""
    progress(f"converting {folder}")
    words = (sys.executable, "-m", "convert.tflite", folder / MODEL, "--json")
    entry = json.loads(run_program(*words, fine=(0, 1)).stdout)
    if entry["written"] is None:
        return {"converted": False}
    facts = json.loads(
        run_program(sys.executable, "-m", "convert.c", folder / MODEL, "--build", "host", "--json").stdout
    )
    progress("")
    size = (folder / INT8).stat().st_size
    times = {engine: _microseconds(folder / INT8, engine) for engine in ENGINES}
    measured = {"us": times, "cpu": describe().cpu, "day": datetime.now(UTC).date().isoformat()}
    return {"converted": True, "tflite": size, "flash": facts["constants"], "arena": facts["arena"]} | measured


def _microseconds(model: Path, engine: str) -> float:
    """From raw pixels to label, the median of a hurried run."""
    words = (sys.executable, "-m", "edgecnn", "bench", model, "--engine", engine, "--quick", "--json")
    (times, *_) = json.loads(run_program(*words).stdout)["results"]
    return round(float(times["end_to_end"]["p50_us"]), 2)


def _judged(folder: Path, parent: Parent) -> dict[str, Any]:
    """Accuracy of the int8 file on both splits, and on the test split its flips against the parent."""
    with quiet():
        classifier = Classifier(folder / INT8)
    accuracy = {split: _accuracy(classifier, parent, split) for split in ("validation", "evaluation")}
    flips = accuracy["evaluation"].pop("flips")
    accuracy["validation"].pop("flips")
    return {"accuracy": accuracy, "flips": flips, "float": float_accuracy(read_model(folder / MODEL).manifest)}


def _accuracy(classifier: Classifier, parent: Parent, split: str) -> dict[str, Any]:
    images = read_answered(parent.path.with_name(f"{split}.npz"), parent.manifest)
    answers, _ = answered(classifier, images)
    labels = np.asarray(images.labels)
    flips = find_flips(labels, np.asarray(images.probabilities).argmax(axis=1), answers)
    accuracy = float((answers == labels).mean())
    low, high = wilson(accuracy, len(labels))
    lost, gained = len(flips.lost), len(flips.gained)
    both = {"lost": lost, "gained": gained, "mcnemar_p": mcnemar(lost, gained)}
    return {"accuracy": accuracy, "low": low, "high": high, "images": len(labels), "flips": both}


def float_accuracy(manifest: Manifest) -> dict[str, float]:
    """The accuracy of a float model by split, as its training measured it."""
    return {} if manifest.training is None else manifest.training.accuracy


def measuring(run: Run) -> Callable[[Kept], dict[str, float]]:
    """A function that converts a network before it is fitted, and returns its flash and its latency."""

    def measured(kept: Kept) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as created:
            folder, job = Path(created), run.job_for(kept, "")
            keras.utils.clear_session()
            model = job.network.finish(job.network.build(job.input.shape, len(job.data.labels)))
            artifacts.write_model(folder, Fitted(model, job, 0, {}, 0.0))
            words = ("--build", "host", "--max-drop", str(_ANY), "--json")
            facts = json.loads(run_program(sys.executable, "-m", "convert.c", folder / MODEL, *words).stdout)
            if not description_file(folder / INT8).exists():
                raise EdgecnnError("--budget: a network could not be converted before it was fitted")
            return {"flash": facts["constants"], "latency": _microseconds(folder / INT8, "native")}

    return measured
