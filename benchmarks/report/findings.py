"""The content of the report: models on engines, their losses, and what limits them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.dataset import Dataset
from edgecnn.manifest import Manifest
from edgecnn.reliability import Reliability
from edgecnn.verdict import Report
from workstation.rejection import rejected

_MISTAKES = 24  # images

Answers = npt.NDArray[np.intp]


@dataclass(frozen=True)
class MeasuredModel:
    """A model on an engine."""

    times: dict[str, Any]  # a result of latency.json
    bytes: int
    manifest: Manifest
    answers: Answers  # to the evaluation images
    report: Report
    reliability: Reliability  # on the evaluation images

    @property
    def name(self) -> str:
        """Model and engine, for people."""
        return f"{self.times['model']} on {self.times['engine']}"

    @property
    def valid(self) -> bool:
        """Whether its latency is VALID."""
        return bool(self.times["verdict"] == "VALID")

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of its accuracy."""
        return self.report.interval

    @property
    def p50_us(self) -> float:
        """The median from raw pixels to label, in microseconds."""
        return float(self.times["end_to_end"]["p50_us"])


@dataclass(frozen=True)
class Flip:
    """An image that some candidate answers differently from the float model."""

    index: int | str  # in the test split, or the file's name
    pixels: npt.NDArray[np.uint8]
    label: str
    parent: str  # the float model's answer
    answers: dict[str, list[str]]  # other answers, with the names of the candidates that gave them


@dataclass(frozen=True)
class Mistake:
    """An image that the float model answers wrong."""

    index: int | str  # in the test split, or the file's name
    pixels: npt.NDArray[np.uint8]
    label: str
    answer: str
    probability: float  # of the answer


@dataclass(frozen=True)
class Findings:
    """The content of a report."""

    folder: Path
    manifest: Manifest  # of the float model
    run: dict[str, Any]  # latency.json
    candidates: tuple[MeasuredModel, ...]
    evaluation: Dataset
    flips: tuple[Flip, ...]
    limits: dict[str, str]  # what limits a candidate, by its name; without those that have no operators
    layers: dict[str, list[dict[str, Any]]]  # the noise of the layers, by int8 model
    boards: dict[str, Any] | None
    front: dict[str, Any] | None = None  # front.json of python -m train.shrink

    @property
    def parent_accuracy(self) -> float:
        """The float model's share of right answers."""
        answers = np.asarray(self.evaluation.probabilities).argmax(axis=1)
        return float((answers == self.evaluation.labels).mean())

    @property
    def parent_reliability(self) -> Reliability:
        """The float model's reliability."""
        probabilities = np.asarray(self.evaluation.probabilities)
        return rejected(self.manifest.rejection, probabilities, np.asarray(self.evaluation.labels))

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """The float model's mistakes with the highest probabilities."""
        data, names = self.evaluation, self.manifest.labels
        probabilities, labels = np.asarray(data.probabilities), np.asarray(data.labels)
        answers, claims = probabilities.argmax(axis=1), probabilities.max(axis=1)
        wrong = np.flatnonzero(answers != labels)
        places = wrong[np.argsort(-claims[wrong], kind="stable")][:_MISTAKES].tolist()
        return tuple(
            Mistake(
                data.indices[place].item(),
                data.images[place],
                names[labels[place]],
                names[answers[place]],
                float(claims[place]),
            )
            for place in places
        )

    @property
    def failures(self) -> tuple[str, ...]:
        """Rules that a model breaks."""
        return tuple(f"{model.name}: {failure}" for model in self.candidates for failure in model.report.failures)

    @property
    def notes(self) -> tuple[str, ...]:
        """Doubts about the verdict: about the images, and a loss that chance may explain."""
        notes = (f"{model.name}: {note}" for model in self.candidates for note in model.report.notes)
        return (*self.evaluation.warnings, *notes)

    @property
    def invalid(self) -> tuple[str, ...]:
        """The INVALID latencies, with the reasons."""
        reasons = {model.name: model.times["reasons"] for model in self.candidates}
        return tuple(f"{name}: {'; '.join(lines)}" for name, lines in reasons.items() if lines)

    @property
    def verdict(self) -> str:
        """The verdict on accuracy: `PASS`, or `FAIL` if a model breaks a rule."""
        return "FAIL" if self.failures else "PASS"

    @property
    def latency(self) -> str:
        """The verdict on latency: `VALID`, `INVALID`, or how many are VALID."""
        valid, total = sum(model.valid for model in self.candidates), len(self.candidates)
        return {total: "VALID", 0: "INVALID"}.get(valid, f"VALID for {valid} of {total}")

    @property
    def fastest(self) -> MeasuredModel:
        """The fastest that breaks no rule and has a VALID latency; if none does, the fastest of the rest."""
        passing = [model for model in self.candidates if not model.report.failures] or self.candidates
        timed = [model for model in passing if model.valid] or passing
        return min(timed, key=lambda model: model.p50_us)
