"""Judge a recipe by several seeds: train, convert, and check every model on every engine.

Each training goes to FOLDER/RECIPE-SEED; one that is there already is not repeated. Accuracies are of the test
split, which chooses nothing; flips are against the float model.

Example:
  python -m benchmarks.seeds --recipe tutorial best --seeds 1 2 3 --json > benchmarks/reference/seeds.json
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance
from edgecnn import arguments
from edgecnn.command import OK, command, command_parser, print_json, progress, table
from edgecnn.confidence import wilson
from edgecnn.engines import engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.flips import lost_and_gained
from edgecnn.modelfile import read_model

STEPS = (("convert.tflite",), ("convert.onnx",), ("convert.onnx", "--quantize", "int8"))
HEAD = ("recipe", "seed", "float", "model", "engine", "accuracy", "95 %", "flips", "seconds of training")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.seeds`."""
    parser = command_parser("python -m benchmarks.seeds", __doc__)
    parser.add_argument("--recipe", nargs="+", default=["tutorial", "best"], help="default tutorial best")
    parser.add_argument("--seeds", type=arguments.seed, nargs="+", default=[1, 2, 3], help="default 1 2 3")
    parser.add_argument("--dataset", default="mnist", help="default mnist")
    parser.add_argument("--folder", type=Path, default=Path("artifacts/seeds"), help="default artifacts/seeds")
    options = parser.parse_args(argv)
    trainings = [
        trained(options.folder / f"{recipe}-{seed}", recipe, seed, options.dataset)
        for recipe in options.recipe
        for seed in options.seeds
    ]
    if options.json:
        print_json({"trainings": trainings, "spread": spread(trainings)} | provenance())
    else:
        print(table(HEAD, [row for training in trainings for row in rows(training)]))
        for row in spread(trainings):
            print(f"{row['recipe']} {row['model']} on {row['engine']}: {mean(row)}")
    return OK


def trained(folder: Path, recipe: str, seed: int, dataset: str) -> dict[str, Any]:
    """Train with one seed, convert, check; if the folder is there, only check."""
    timing = folder / "seconds.json"
    if not timing.exists():
        start = time.perf_counter()
        _run("train", "--recipe", recipe, "--seed", str(seed), "--dataset", dataset, "--output", str(folder))
        seconds = time.perf_counter() - start
        for step in STEPS:
            _run(step[0], str(folder / "model.keras"), *step[1:])
        write_file(timing, json.dumps({"seconds": round(seconds)}).encode())
    training = read_model(folder / "model.keras").manifest.training
    if training is None:
        raise EdgecnnError(f"{folder}/model.keras does not say how it was trained: remove it")
    models = [*sorted(folder.glob("*.tflite")), *sorted(folder.glob("*.onnx"))]
    checks = [_checked(path, engine) for path in models for engine in engines_of(path, path.suffix[1:])]
    job = {"recipe": recipe, "seed": seed, "epochs": training.epochs, "commit": training.commit}
    return job | {"float": training.accuracy["evaluation"], **json.loads(timing.read_bytes()), "models": checks}


def _checked(path: Path, engine: str) -> dict[str, Any]:
    words = ("check", str(path), str(path.with_name("evaluation.npz")), "--engine", engine, "--json")
    report = json.loads(_run("edgecnn", *words, fine=(0, 1)))
    flips = report["flips"]
    row = {"model": path.name, "engine": engine, "images": report["images"], "accuracy": report["accuracy"]}
    return row | {"lost": len(flips["lost"]), "gained": len(flips["gained"])}


def _run(*words: str, fine: Sequence[int] = (OK,)) -> str:
    progress(" ".join(words[:6]))
    ended = subprocess.run([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True, check=False)
    progress("")  # its stderr is the user's: a training shows its progress there
    if ended.returncode not in fine:
        raise EdgecnnError(f"python -m {' '.join(words)} failed with status {ended.returncode}")
    return ended.stdout


def rows(training: dict[str, Any]) -> list[tuple[str, ...]]:
    """A training as people read it, under `HEAD`: a row a model and engine."""
    job = (training["recipe"], str(training["seed"]), f"{training['float']:.4f}")
    return [(*job, *_cells(model), f"{training['seconds']:,}") for model in training["models"]]


def _cells(model: dict[str, Any]) -> tuple[str, ...]:
    low, high = wilson(model["accuracy"], model["images"])
    flips = lost_and_gained(model["lost"], model["gained"])
    return model["model"], model["engine"], f"{model['accuracy']:.4f}", f"{low:.4f} to {high:.4f}", flips


def spread(trainings: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and standard deviation over the seeds, of every recipe, model and engine."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for training in trainings:
        for model in training["models"]:
            groups.setdefault((training["recipe"], model["model"], model["engine"]), []).append(model["accuracy"])
    return [
        {
            **dict(zip(("recipe", "model", "engine"), key, strict=True)),
            "mean": round(statistics.mean(values), 6),
            "deviation": round(statistics.stdev(values), 6) if len(values) > 1 else None,
        }
        for key, values in groups.items()
    ]


def mean(row: dict[str, Any]) -> str:
    """A row of `spread` as people read it; a single seed has no deviation."""
    return f"{row['mean']:.4f}" + ("" if row["deviation"] is None else f" ± {row['deviation']:.4f}")


if __name__ == "__main__":
    sys.exit(main())
