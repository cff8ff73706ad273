"""Compare two runs of `python -m benchmarks.latency` or `edgecnn bench --json`: is anything slower now?

Results are paired by model, engine, threads and batch. The p50 counts, the median of the windows' medians, end to end
and of the engine's call. Its noise is half the range of the windows' medians, of both runs together. A result is slower
if its p50 grew by more than that noise and by more than --threshold; the exit status is then 1.

Runs on different devices, INVALID results and hurried runs are compared only with --anyway.

Examples:
  python -m benchmarks.compare benchmarks/reference/latency.json artifacts/mnist/latency.json
  python -m benchmarks.compare old.json new.json --threshold 0.02
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgecnn import arguments
from edgecnn.bench import SCHEMA
from edgecnn.bounds import parsed
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.latency_tables import subject_name

THRESHOLD = 0.05
SAME, SLOWER, FASTER = "same", "SLOWER", "faster"
_DEVICE = ("board", "cpu", "cores", "machine")
_FIELDS = ("model", "engine", "threads", "batch")
_FIGURES = {"end_to_end": "end to end", "engine_call": "engine's call"}


@dataclass(frozen=True)
class Change:
    """One figure of two runs."""

    subject: str
    figure: str
    old_us: float
    new_us: float
    noise: float  # relative: two honest runs may differ by so much
    valid: bool = True  # in both runs

    @property
    def ratio(self) -> float:
        """New over old."""
        return self.new_us / self.old_us

    def verdict(self, threshold: float) -> str:
        """`SLOWER`, `faster` or `same`, beyond noise and threshold."""
        limit = 1 + max(self.noise, threshold)
        return SLOWER if self.ratio > limit else FASTER if self.ratio < 1 / limit else SAME


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.compare`."""
    parser = command_parser("python -m benchmarks.compare", __doc__)
    parser.add_argument("old", type=Path, metavar="OLD", help="a run's JSON")
    parser.add_argument("new", type=Path, metavar="NEW", help="a later run's")
    parser.add_argument(
        "--threshold",
        type=arguments.share,
        default=THRESHOLD,
        help=f"share that may be lost besides noise (default {THRESHOLD})",
    )
    parser.add_argument("--anyway", action="store_true", help="compare other devices, INVALID and hurried runs too")
    options = parser.parse_args(argv)
    old, new = read_run(options.old), read_run(options.new)
    try:
        if not options.anyway:
            _refuse(options.old, old, options.new, new)
        changes = compare(old, new)
        verdicts = [change.verdict(options.threshold) for change in changes]
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        raise EdgecnnError(
            f"{options.old} or {options.new} is no whole run ({type(error).__name__}: {error})"
        ) from None
    if not changes:
        raise EdgecnnError(f"{options.old} and {options.new} have no model, engine, threads and batch in common")
    if options.json:
        rows = [asdict(change) | {"ratio": change.ratio} for change in changes]
        print_json([row | {"verdict": verdict} for row, verdict in zip(rows, verdicts, strict=True)])
    else:
        head = ("", "", "old us", "new us", "ratio", "noise", "verdict")
        print(table(head, map(_cells, changes, verdicts)))
    return GATE_FAILED if SLOWER in verdicts else OK


def read_run(path: Path) -> dict[str, Any]:
    """Read a run.

    Raises:
        EdgecnnError: it is none, or of a schema that is not known here.
    """
    try:
        document: dict[str, Any] = parsed(read_file(path))
        schema, kind = document["schema"], document["kind"]
    except (ValueError, KeyError, TypeError):
        raise EdgecnnError(f"{path} is no run: make one with python -m benchmarks.latency") from None
    if (schema, kind) != (SCHEMA, "latency"):
        raise EdgecnnError(f"{path} is a run of kind {kind!r}, schema {schema}: latency, schema {SCHEMA} wanted")
    return document


def _refuse(old_path: Path, old: dict[str, Any], new_path: Path, new: dict[str, Any]) -> None:
    """Refuse runs that cannot be compared honestly.

    Raises:
        EdgecnnError: the devices differ, a run was hurried, or a result is INVALID.
    """
    for part in _DEVICE:
        if old["device"][part] != new["device"][part]:
            devices = f"{old['device'][part]!r} and {new['device'][part]!r}"
            raise EdgecnnError(f"two devices ({part}: {devices}) are not compared: --anyway does")
    for path, run in ((old_path, old), (new_path, new)):
        if not run["method"]["comparable"]:
            raise EdgecnnError(f"{path} was made in a hurry: measure without --quick and --seconds, or say --anyway")
        for times in run["results"]:
            if times["verdict"] != "VALID":
                reasons = "; ".join(times["reasons"])
                raise EdgecnnError(
                    f"{path}: {subject_name(times)} is INVALID ({reasons}): measure again, or say --anyway"
                )


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Every figure that both runs have."""
    before = {_key(times): times for times in old["results"]}
    pairs = [(before.get(_key(times)), times) for times in new["results"]]
    return [
        Change(
            subject=subject_name(later),
            figure=words,
            old_us=earlier[name]["p50_us"],
            new_us=later[name]["p50_us"],
            noise=_noise(earlier[name], later[name]),
            valid=earlier["verdict"] == later["verdict"] == "VALID",
        )
        for earlier, later in pairs
        if earlier
        for name, words in _FIGURES.items()
    ]


def _key(times: dict[str, Any]) -> tuple[Any, ...]:
    """The fields that two results have in common if they are compared."""
    return tuple(times[field] for field in _FIELDS)


def _noise(*figures: dict[str, Any]) -> float:
    """Half the range of the windows' medians, relative, of both runs together."""
    return math.hypot(*(figure["spread"] / 2 for figure in figures))


def _cells(change: Change, verdict: str) -> tuple[str, ...]:
    figures = (f"{change.old_us:.1f}", f"{change.new_us:.1f}", f"{change.ratio:.3f}", f"{change.noise:.1%}")
    return (change.subject, change.figure, *figures, verdict if change.valid else f"{verdict}, INVALID")


if __name__ == "__main__":
    sys.exit(main())
