"""Make smaller networks from a trained one: fewer channels, the same layers, really smaller.

Whole channels are removed, those of least importance first for what they cost, with all that is tied to them: residual
sums, depthwise convolutions, concatenations, batch normalization, a flatten before a dense layer. What is left is
fitted again with the parent as teacher, on the recipe's distortions, and converted to int8 behind the gate.

Writes into front/ beside the model: a folder for each network (model.keras, its splits, model_int8.tflite, its C), and
front.json, front.md, front.png. The test split chooses nothing.

Examples:
  python -m train.shrink
  python -m train.shrink artifacts/mnist/model.keras --budget macs=190k,params=10k
  python -m train.shrink --floor 0.99 --epochs 20
  python -m train.shrink --budget latency=5us --resume
"""

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecnn import bounds
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, quiet
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, write_file
from train.shrink.limits import Limits
from train.shrink.options import add_options
from train.shrink.parent import Parent, job_of, read_parent
from train.shrink.search import floor_report, halves, smallest
from workstation.keras_files.loading import load_keras

if TYPE_CHECKING:
    from train.shrink.graph import Graph, Kept
    from train.shrink.points import Run

SETTINGS = "settings.json"


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m train.shrink`."""
    parser = command_parser("python -m train.shrink", __doc__)
    add_options(parser)
    options = parser.parse_args(argv)
    if options.budget and options.floor is not None:
        raise EdgecnnError("--budget and --floor go not together: leave one out")
    parent = read_parent(options)
    output, settings = options.output or parent.path.parent / "front", _settings(parent, options)
    if options.resume:
        _check_resumable(output, settings)
    with quiet():  # TensorFlow greets, and takes seconds to load: so only once the input is known to be good
        from train.shrink.front import front_table, write_front
        from train.shrink.graph import graph_of
        from train.teachers import parent_answers

    model = load_keras(parent.path)
    run = _run(parent, graph_of(model), options, output)
    choose = _choice(run, options)
    chosen = [choose(limits) for limits in options.budget]  # one that no network meets is refused here
    if not options.resume:
        _begin(output, settings)
    softs = parent_answers(run.job, model, parent.manifest.weights_sha256, parent.manifest.output)
    points = _points(replace(run, softs=softs), options, choose, chosen)
    document = _document(run, settings, points)
    write_front(output, document)
    if options.json:
        print_json(document)
    else:
        print(front_table(points))
    if options.floor is None:
        return OK if all(point["converted"] for point in points) else GATE_FAILED
    held, line = floor_report(points, options.floor)
    print(line, file=sys.stderr)
    return OK if held else GATE_FAILED


def _run(parent: Parent, graph: "Graph", options: argparse.Namespace, output: Path) -> "Run":
    from train.shrink.points import Run
    from train.shrink.selection import check_budgets

    job = job_of(parent, options.seed)
    if not graph.families:
        raise EdgecnnError(f"{parent.path} has no layer between the image and the classes: there is nothing to remove")
    check_budgets(graph, [limits.counted for limits in options.budget])
    if options.floor is not None and not job.holds_out:
        fix = "--recipe best, or another that keeps them out"
        print(
            f"warning: the recipe {job.recipe.name} fits the validation images too, which judge: {fix}", file=sys.stderr
        )
    return Run(parent, graph, job, output, options.method == "uniform")


def _settings(parent: Parent, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "parent": parent.manifest.weights_sha256,
        "method": options.method,
        "recipe": parent.recipe.name,
        "epochs": parent.epochs,
        "seed": options.seed,
        "budget": [limits.words for limits in options.budget],
        "floor": options.floor,
        "points": options.points,
    }


def _check_resumable(output: Path, settings: dict[str, Any]) -> None:
    """Check that the run that is there is the same.

    Raises:
        EdgecnnError: there is none, or another one.
    """
    path = output / SETTINGS
    if not path.exists():
        raise EdgecnnError(f"{output} holds no run, so there is nothing to resume: leave --resume away")
    if not _holds(path, settings):
        raise EdgecnnError(f"{output} is of a run with other options: repeat them, or leave --resume away")


def _begin(output: Path, settings: dict[str, Any]) -> None:
    """Remove what an earlier run left, and nothing else; write the settings."""
    if (output / SETTINGS).exists():
        for point in output.glob("*/point.json"):
            shutil.rmtree(point.parent)
        for checkpoint in output.glob("*/checkpoint.zip"):
            checkpoint.unlink()
    output.mkdir(parents=True, exist_ok=True)
    write_file(output / SETTINGS, json.dumps(settings, indent=1).encode())


def _holds(path: Path, settings: dict[str, Any]) -> bool:
    """Whether a file, which may be damaged, has these settings."""
    try:
        return bool(bounds.parsed(read_file(path)) == settings)
    except ValueError:
        return False


def _choice(run: "Run", options: argparse.Namespace) -> "Callable[[Limits], Kept]":
    """A function that chooses the best network within limits."""
    from train.shrink.importance import importance_of
    from train.shrink.points import measuring
    from train.shrink.selection import CHOICES, within

    importance, method = importance_of(run.graph, run.job), CHOICES[options.method]
    return lambda limits: within(run.graph, importance, limits, method, measuring(run))


def _points(
    run: "Run", options: argparse.Namespace, choose: "Callable[[Limits], Kept]", chosen: "Sequence[Kept]"
) -> list[dict[str, Any]]:
    """Make the networks that were chosen for budgets, or those of a front, or those down to a floor."""
    from train.shrink.points import point

    whole = run.graph.macs(run.graph.all)

    def share(name: str, part: float) -> dict[str, Any]:
        limits = Limits({"macs": whole * part}, f"macs={whole * part:.0f}")
        return point(run, name, choose(limits), limits.words)

    if options.budget:
        words = [limits.words for limits in options.budget]
        names = [limits.replace("=", "-").replace(",", "-") for limits in words]
        return [point(run, *parts) for parts in zip(names, chosen, words, strict=True)]
    if options.floor is not None:
        return list(smallest(options.points, options.floor, share))
    return list(halves(options.points, share))


def _document(run: "Run", settings: dict[str, Any], points: list[dict[str, Any]]) -> dict[str, Any]:
    from train.shrink.points import float_accuracy

    graph, manifest = run.graph, run.parent.manifest
    parent = {"name": manifest.name, "network": graph.model.name, "model": str(run.parent.path)}
    parent |= {"weights_sha256": manifest.weights_sha256}
    sizes = {"macs": graph.macs(graph.all), "parameters": graph.parameters(graph.all)}
    head = settings | {"parent": parent | sizes | {"accuracy": float_accuracy(manifest)}}
    return head | {"points": points}


if __name__ == "__main__":
    sys.exit(main())
