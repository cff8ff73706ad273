"""Compare the methods of train.shrink over several seeds: the same budgets, recipe, epochs and teacher for both.

Each run goes to FOLDER/BUDGET/METHOD-SEED. One that is there is not repeated, and one that was cut off goes on.
Accuracies are of the int8 models; the test split chooses nothing.

Example:
  python -m benchmarks.shrink artifacts/reference/model.keras --budget macs=190k,params=10k --epochs 20 --json
"""

import itertools
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.fronts import accuracies
from benchmarks.provenance import provenance
from edgecnn import arguments
from edgecnn.command import OK, command, command_parser, print_json, progress, table
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file

METHODS = "prune", "uniform"
HEAD = ("budget", "method", "MACs", "parameters", "validation", "test, by seed", "test")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.shrink`."""
    parser = command_parser("python -m benchmarks.shrink", __doc__)
    parser.add_argument("model", type=Path, metavar="MODEL.keras", help="the parent")
    parser.add_argument("--budget", action="append", required=True, metavar="macs=200k,…", help="may be repeated")
    parser.add_argument("--seeds", type=arguments.seed, nargs="+", default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--recipe", default="small", help="default small")
    parser.add_argument("--epochs", type=arguments.count(), help="for each network (default: the recipe's)")
    parser.add_argument("--folder", type=Path, default=Path("artifacts/shrink"), help="default artifacts/shrink")
    options = parser.parse_args(argv)
    fitting = ["--recipe", options.recipe, *(["--epochs", str(options.epochs)] if options.epochs else [])]
    points = [
        _point(options, budget, method, seed, fitting)
        for budget, seed, method in itertools.product(options.budget, options.seeds, METHODS)
    ]
    if options.json:
        print_json({"points": points} | provenance())
    else:
        print(table(HEAD, rows(points)))
    return OK


def _point(options: Any, budget: str, method: str, seed: int, fitting: list[str]) -> dict[str, Any]:
    """Make a network within a budget, if it is not there; what its front says of it."""
    folder = options.folder / budget.replace("=", "-").replace(",", "-") / f"{method}-{seed}"
    if not (folder / "front.json").exists():
        words = ["--budget", budget, "--method", method, "--seed", str(seed), *fitting, "--output", str(folder)]
        resume = ["--resume"] if (folder / "settings.json").exists() else []
        _run("train.shrink", str(options.model), *words, *resume)
    front = json.loads(read_file(folder / "front.json"))
    (point,) = front["points"]
    sizes = {name: point[name] for name in ("macs", "parameters", "tflite", "flash", "arena")}
    job = {"budget": budget, "method": method, "seed": seed, "recipe": front["recipe"], "epochs": front["epochs"]}
    return job | {"parent": front["parent"]["weights_sha256"]} | sizes | accuracies(point)


def _run(*words: str) -> None:
    progress(" ".join(words[:8]))
    ended = subprocess.run([sys.executable, "-m", *words], stdout=subprocess.DEVNULL, check=False)
    progress("")  # its stderr is the user's: a training shows its progress there
    if ended.returncode != OK:
        raise EdgecnnError(f"python -m {' '.join(words)} failed with status {ended.returncode}")


def rows(points: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each budget and method, under `HEAD`."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for point in points:
        groups.setdefault((point["budget"], point["method"]), []).append(point)
    return [(*key, *_cells(group)) for key, group in groups.items()]


def _cells(points: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    sizes = (_range([point[name] for point in points]) for name in ("macs", "parameters"))
    validation, test = ([point[split] for point in points] for split in ("validation", "evaluation"))
    by_seed = " ".join(f"{accuracy:.4f}" for accuracy in test)
    return (*sizes, mean(validation), by_seed, mean(test))


def _range(counts: Sequence[int]) -> str:
    """One count, or the least and the most of them."""
    return " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)}))


def mean(accuracies: Sequence[float]) -> str:
    """Mean and standard deviation; a single seed has none."""
    deviation = f" ± {statistics.stdev(accuracies):.4f}" if len(accuracies) > 1 else ""
    return f"{statistics.mean(accuracies):.4f}{deviation}"


if __name__ == "__main__":
    sys.exit(main())
