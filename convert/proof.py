"""The proof of a conversion: accuracy, flips and differences against its parent, on every engine."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.contents import Contents
from convert.parent import Parent
from edgecnn.answers import decided
from edgecnn.command import table
from edgecnn.confidence import mcnemar
from edgecnn.dataset import Dataset
from edgecnn.errors import EdgecnnError
from edgecnn.files import sha256
from edgecnn.flips import lost_and_gained
from edgecnn.manifest import Manifest
from edgecnn.verdict import Report, judge_labels

HEAD = ("engine", "accuracy", "flips", "McN. p", "max diff", "mean diff", "test", "flips", "verdict")
# How far a probability may be off: networks of 200 layers are 1e-5 off in float32, 5e-3 in float16.
_LARGEST = {"none": 1e-3, "float16": 5e-2}
_LARGEST_IN_HALVES = 5e-2  # of a parent that computes in float16, and is off itself


@dataclass(frozen=True)
class Proof:
    """How a converted model answers on one engine."""

    validation: Report  # the gate
    evaluation: Report | None  # only reports
    largest_difference: float  # of a probability, against the parent, on validation images
    mean_difference: float
    outputs: npt.NDArray[np.float32]  # on random images, then on validation images


@dataclass(frozen=True)
class Conversion:
    """A converted model, and what was found out about it."""

    data: bytes  # the file
    payload: bytes  # what the converter made: the file without its manifest
    contents: Contents
    proofs: dict[str, Proof | str]  # by engine; a string says why the engine does not run it
    kept: tuple[str, ...] = ()  # Keras layers that stayed in float
    rewrites: tuple[str, ...] = ()  # of `convert.rewrites`
    notes: tuple[str, ...] = ()  # which rewrites the layers went through, and which not and why
    random: int = 0  # images on which they were compared, beside those of validation

    @property
    def passed(self) -> bool:
        """Whether no engine that runs the model loses too much."""
        return not any(proof.validation.failures for proof in self.proofs.values() if isinstance(proof, Proof))

    def reference(self) -> tuple[str, Proof]:
        """The best engine that runs the model, and its proof.

        Raises:
            EdgecnnError: no engine runs it.
        """
        for engine, proof in self.proofs.items():
            if isinstance(proof, Proof):
                return engine, proof
        raise EdgecnnError(f"no engine here runs the result: {'; '.join(map(str, self.proofs.values()))}")


def prove(
    manifest: Manifest, validation: Dataset, given: npt.NDArray[np.float32], max_drop: float, limit: float
) -> Proof:
    """Judge probabilities (n, classes) of random images, if any, and behind them of the validation split.

    Args:
        manifest: the parent's.
        validation: with the parent's answers.
        given: of an engine.
        max_drop: share of right answers that may be lost.
        limit: how far a probability may be off.
    """
    seen = given[len(given) - len(validation) :]
    difference = np.abs(seen - _parent_probabilities(validation))
    largest = float(difference.max())
    report = _judged(manifest, validation, seen, max_drop)
    if not largest <= limit:  # NaN is not, too
        words = f"a probability is off by {largest:.1e}, {limit:.0e} allowed"
        report = replace(report, failures=(*report.failures, words))
    return Proof(report, None, largest, float(difference.mean()), given)


def reported(
    manifest: Manifest,
    proof: Proof | str,
    evaluation: Dataset,
    given: npt.NDArray[np.float32] | str,
    max_drop: float,
) -> Proof | str:
    """The proof, with what the test split tells."""
    if isinstance(proof, str) or isinstance(given, str):
        return proof
    return replace(proof, evaluation=_judged(manifest, evaluation, given, max_drop))


def _judged(manifest: Manifest, split: Dataset, given: npt.NDArray[np.float32], max_drop: float) -> Report:
    assert split.labels is not None
    parent, child = (decided(answer, manifest.multi_label) for answer in (_parent_probabilities(split), given))
    report = judge_labels(manifest.labels, split.labels, parent, child, None, max_drop)
    return replace(report, notes=(*report.notes, *split.warnings))


def _parent_probabilities(split: Dataset) -> npt.NDArray[np.float32]:
    if split.labels is None or split.probabilities is None:
        raise ValueError("images without the parent's answers prove nothing")
    return split.probabilities


def largest_difference_allowed(parent: Parent, quantize: str) -> float:
    """How far a probability may be off: in float32 rounding alone, or a layer does what it does not do in Keras."""
    halves = any(layer.compute_dtype in ("float16", "bfloat16") for layer in parent.model._flatten_layers())
    return _LARGEST_IN_HALVES if halves and quantize in _LARGEST else _LARGEST.get(quantize, 1.0)


def document(made: Conversion, path: Path) -> dict[str, Any]:
    """For `--json` and models.json."""
    return {
        "file": path.name,
        "bytes": len(made.data),
        "sha256": sha256(made.data),
        **asdict(made.contents),
        "kept_float": list(made.kept),
        "rewrites": list(made.notes),
        "random_images": made.random,
        "verdict": "PASS" if made.passed else "FAIL",
        "engines": {engine: _engine_document(proof) for engine, proof in made.proofs.items()},
    }


def _engine_document(proof: Proof | str) -> dict[str, Any]:
    if isinstance(proof, str):
        return {"runs": False, "why": proof}
    return {
        "runs": True,
        "validation": _split_document(proof.validation),
        "evaluation": proof.evaluation and _split_document(proof.evaluation),
        "largest_difference": proof.largest_difference,
        "mean_difference": proof.mean_difference,
    }


def _split_document(report: Report) -> dict[str, Any]:
    assert report.flips is not None
    lost, gained = len(report.flips.lost), len(report.flips.gained)
    return {
        "images": report.images,
        "accuracy": report.accuracy,
        **({"accuracy_by_label": report.accuracy_by_label} if report.by_label else {}),
        "lost": lost,
        "gained": gained,
        "changed": len(report.flips.changed),
        "mcnemar_p": mcnemar(lost, gained),
        "verdict": report.verdict,
        "failures": list(report.failures),
        "notes": list(report.notes),
    }


def summary(made: Conversion, parent: Parent, output: Path) -> str:
    """What people read of a conversion."""
    written = output if made.passed else "NOTHING WRITTEN"
    seen = ", seen in training" if parent.validation.source and parent.validation.source.trained_on else ""
    contents = made.contents
    share = f"{contents.integer_share:.0%} of them on integers"
    facts = f"{len(made.data):,} bytes, {contents.operators} operators, {share}, {contents.parameters:,} parameters"
    lines = [
        f"{parent.path} -> {written}",
        facts + (f", in float: {', '.join(made.kept)}" if made.kept else ""),
        *made.notes,
        *([f"rewrites compared on {made.random:,} random images, and on validation"] if made.random else []),
        f"against its parent on {len(parent.validation):,} validation images{seen}",
        "",
        table(HEAD, [_row(engine, proof) for engine, proof in made.proofs.items()]),
        *_remarks(made),
    ]
    return "\n".join(lines)


def _remarks(made: Conversion) -> list[str]:
    """What to know of the verdicts, once where it is of several engines."""
    proofs = [proof for proof in made.proofs.values() if isinstance(proof, Proof)]
    return list(dict.fromkeys(note for proof in proofs for note in proof.validation.notes))


def _row(engine: str, proof: Proof | str) -> tuple[str, ...]:
    if isinstance(proof, str):
        return (engine, *[""] * 7, "does not run it")
    validation = _split_document(proof.validation)
    evaluation = proof.evaluation and _split_document(proof.evaluation)
    return (
        engine,
        f"{validation['accuracy']:.4f}",
        flips(validation),
        f"{validation['mcnemar_p']:.2f}",
        f"{proof.largest_difference:.1e}",
        f"{proof.mean_difference:.1e}",
        f"{evaluation['accuracy']:.4f}" if evaluation else "",
        flips(evaluation) if evaluation else "",
        "   ".join((validation["verdict"], *validation["failures"])),
    )


def flips(split: dict[str, Any]) -> str:
    """Right answers lost and gained, as people read them."""
    return lost_and_gained(split["lost"], split["gained"])
