"""models.json and models.md beside the models: what was exported, which engines run it, how it did."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convert.conversion import Conversion
from convert.proof import Proof
from edgecnn import bounds
from edgecnn.confidence import mcnemar
from edgecnn.errors import EdgecnnError
from edgecnn.escape import for_markdown
from edgecnn.file_lock import locked
from edgecnn.files import read_file, sha256, write_file
from edgecnn.flips import lost_and_gained
from edgecnn.verdict import Report

HEAD = ("file", "bytes", "integer ops", "engine", "validation", "flips", "test", "flips", "verdict")
PASS, FAIL = "PASS", "FAIL"


def model_entry(conversion: Conversion, path: Path) -> dict[str, Any]:
    """The entry of a conversion in models.json, and in what `--json` prints."""
    return {
        "file": path.name,
        "bytes": len(conversion.data),
        "sha256": sha256(conversion.data),
        **asdict(conversion.contents),
        "kept_float": list(conversion.kept),
        "rewrites": list(conversion.notes),
        "random_images": conversion.random,
        "verdict": PASS if conversion.passed else FAIL,
        "engines": {engine: _engine_entry(proof) for engine, proof in conversion.proofs.items()},
    }


def failed_entry(file: str, why: str) -> dict[str, Any]:
    """The entry of a variant that could not be converted."""
    return {"file": file, "verdict": FAIL, "why": why, "engines": {}}


def _engine_entry(proof: Proof | str) -> dict[str, Any]:
    if isinstance(proof, str):
        return {"runs": False, "why": proof}
    return {
        "runs": True,
        "validation": split_entry(proof.validation),
        "evaluation": proof.evaluation and split_entry(proof.evaluation),
        "largest_difference": proof.largest_difference,
        "mean_difference": proof.mean_difference,
    }


def split_entry(report: Report) -> dict[str, Any]:
    """How a model did on one split, on one engine."""
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
        **(report.reliability.as_document() if report.reliability else {}),
        "verdict": report.verdict,
        "failures": list(report.failures),
        "notes": list(report.notes),
    }


def record(output: Path, entry: dict[str, Any]) -> None:
    """Add a model to models.json, drop entries whose file is gone or has other bytes, and render models.md."""
    path = output.with_name("models.json")
    with locked(path):  # conversions that run at once all leave their entries
        others = [
            other for other in _read(path) if other["file"] != entry["file"] and _is_current(output.parent, other)
        ]
        entries = sorted([*others, entry], key=lambda entry: str(entry["file"]))
        write_file(path, json.dumps({"schema": 1, "models": entries}, indent=1).encode())
        write_file(output.with_name("models.md"), render(entries).encode(errors="backslashreplace"))


def _read(path: Path) -> list[dict[str, Any]]:
    """The entries of a models.json; none where it is missing or was written by something else."""
    try:
        return [entry for entry in bounds.parsed(read_file(path, bounds.DOCUMENT))["models"] if _is_entry(entry)]
    except (EdgecnnError, ValueError, KeyError, TypeError):
        return []


def _is_entry(entry: Any) -> bool:
    """Whether an entry names a file beside models.json, and `rows` can show it."""
    try:
        rows(entry)
        return Path(entry["file"]).name == entry["file"] and isinstance(entry["sha256"], str)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_current(folder: Path, entry: dict[str, Any]) -> bool:
    file = folder / entry["file"]
    return file.is_file() and sha256(read_file(file)) == str(entry["sha256"])


def rows(entry: dict[str, Any]) -> list[tuple[str, ...]]:
    """An entry for people, in the columns of `HEAD`: a row for each engine."""
    if not entry["engines"]:
        return [(entry["file"], *[""] * (len(HEAD) - 2), f"{FAIL}   {entry['why']}")]
    first = (entry["file"], f"{entry['bytes']:,}", f"{entry['integer_share']:.0%}")
    return [(*first, engine, *_figures(proof)) for engine, proof in entry["engines"].items()]


def _figures(proof: dict[str, Any]) -> tuple[str, ...]:
    if not proof["runs"]:
        return ("", "", "", "", "does not run it")
    validation, test = proof["validation"], proof["evaluation"]
    test_figures = (f"{test['accuracy']:.4f}", flips(test)) if test else ("", "")
    verdict = "   ".join((validation["verdict"], *validation["failures"]))
    return (f"{validation['accuracy']:.4f}", flips(validation), *test_figures, verdict)


def flips(split: dict[str, Any]) -> str:
    """Right answers lost and gained on a split, for people."""
    return lost_and_gained(split["lost"], split["gained"])


def remarks(entries: list[dict[str, Any]]) -> list[str]:
    """Notes on the verdicts of several models; each note once."""
    proofs = [proof for entry in entries for proof in entry["engines"].values() if proof["runs"]]
    return list(dict.fromkeys(note for proof in proofs for note in proof["validation"]["notes"]))


def render(entries: list[dict[str, Any]]) -> str:
    """The model card: a Markdown table, a row for each model and engine."""
    table = [HEAD, ["---"] * len(HEAD), *(row for entry in entries for row in rows(entry))]
    lines = ["| " + " | ".join(map(for_markdown, row)) + " |" for row in table]
    note = "Flips: right answers lost and gained against the float model. The gate reads validation; the test reports."
    return "\n".join(["# Models", "", *lines, "", note, ""])
