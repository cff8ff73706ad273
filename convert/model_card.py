"""models.json and models.md beside the models: what was exported, which engines run it, what it is worth."""

import json
from pathlib import Path
from typing import Any

from convert.proof import flips
from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.escape import for_markdown
from edgecnn.file_lock import locked
from edgecnn.files import read_file, sha256, write_file

_HEAD = ("file", "bytes", "integer ops", "engine", "validation", "flips", "test", "flips", "verdict")


def record(output: Path, entry: dict[str, Any]) -> None:
    """Add an exported model to models.json, drop files that are gone or were written anew, and render models.md."""
    path = output.with_name("models.json")
    with locked(path):  # conversions that run at once all leave their entries
        kept = [each for each in _read(path) if each["file"] != entry["file"] and _is_current(output.parent, each)]
        entries = sorted([*kept, entry], key=lambda each: str(each["file"]))
        write_file(path, json.dumps({"schema": 1, "models": entries}, indent=1).encode())
        write_file(output.with_name("models.md"), render(entries).encode(errors="backslashreplace"))


def _read(path: Path) -> list[dict[str, Any]]:
    """The entries of a models.json; none where it is missing or was written by something else."""
    try:
        return [entry for entry in bounds.parsed(read_file(path, bounds.DOCUMENT))["models"] if _is_entry(entry)]
    except (EdgecnnError, ValueError, KeyError, TypeError):
        return []


def _is_entry(entry: Any) -> bool:
    """Whether it names a file beside models.json and can be shown."""
    try:
        rows(entry)
        return Path(entry["file"]).name == entry["file"] and isinstance(entry["sha256"], str)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _is_current(folder: Path, entry: dict[str, Any]) -> bool:
    file = folder / entry["file"]
    return file.is_file() and sha256(read_file(file)) == str(entry["sha256"])


def head() -> tuple[str, ...]:
    """The columns of `rows`."""
    return _HEAD


def rows(entry: dict[str, Any]) -> list[tuple[str, ...]]:
    """What people read of an entry: a row for each engine."""
    if not entry["engines"]:
        return [(entry["file"], *[""] * (len(_HEAD) - 2), f"FAIL   {entry['why']}")]
    first = (entry["file"], f"{entry['bytes']:,}", f"{entry['integer_share']:.0%}")
    return [(*first, engine, *_figures(found)) for engine, found in entry["engines"].items()]


def _figures(found: dict[str, Any]) -> tuple[str, ...]:
    if not found["runs"]:
        return ("", "", "", "", "does not run it")
    gate, test = found["validation"], found["evaluation"]
    reported = (f"{test['accuracy']:.4f}", flips(test)) if test else ("", "")
    return (f"{gate['accuracy']:.4f}", flips(gate), *reported, "   ".join((gate["verdict"], *gate["failures"])))


def remarks(entries: list[dict[str, Any]]) -> list[str]:
    """What to know of the verdicts, once where it is of several models."""
    judged = [found["validation"] for entry in entries for found in entry["engines"].values() if found["runs"]]
    return list(dict.fromkeys(note for each in judged for note in each["notes"]))


def render(entries: list[dict[str, Any]]) -> str:
    """The model card: a Markdown table, a row for each model and engine."""
    table = [_HEAD, ["---"] * len(_HEAD), *(row for entry in entries for row in rows(entry))]
    lines = ["| " + " | ".join(map(for_markdown, row)) + " |" for row in table]
    note = "Flips: right answers lost and gained against the float model. The gate reads validation; the test reports."
    return "\n".join(["# Models", "", *lines, "", note, ""])
