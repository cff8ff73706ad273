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
from collections.abc import Sequence
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
    from train.shrink.graph import Graph
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
    output = options.output or parent.path.parent / "front"
    with quiet():  # TensorFlow greets, and takes seconds to load: so only once the input is known to be good
        from train.shrink.front import front_table, write_front
        from train.shrink.graph import graph_of

    model = load_keras(parent.path)
    run = _run(parent, model, graph_of(model), options, output)
    points = _points(run, options)
    document = _document(run, options, points)
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


def _run(parent: Parent, model: Any, graph: "Graph", options: argparse.Namespace, output: Path) -> "Run":
    from train.shrink.points import Run
    from train.shrink.selection import check_budgets
    from train.teachers import parent_answers

    job = job_of(parent, options.seed)
    if not graph.families:
        raise EdgecnnError(f"{parent.path} has no layer between the image and the classes: there is nothing to remove")
    check_budgets(graph, [limits.counted for limits in options.budget])
    if options.floor is not None and not job.holds_out:
        fix = "--recipe best, or another that keeps them out"
        print(
            f"warning: the recipe {job.recipe.name} fits the validation images too, which judge: {fix}", file=sys.stderr
        )
    _start(output, _settings(parent, options), options.resume)
    softs = parent_answers(job, model, parent.manifest.weights_sha256, parent.manifest.output)
    return Run(parent, graph, job, softs, output, options.method == "uniform")


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


def _start(output: Path, settings: dict[str, Any], resume: bool) -> None:
    """Begin anew, or check that the run that is there is the same.

    Raises:
        EdgecnnError: there is none to resume, or another one.
    """
    path = output / SETTINGS
    if resume:
        if not path.exists():
            raise EdgecnnError(f"{output} holds no run, so there is nothing to resume: leave --resume away")
        if not _holds(path, settings):
            raise EdgecnnError(f"{output} is of a run with other options: repeat them, or leave --resume away")
        return
    if path.exists():  # what an earlier run left, and nothing else
        for point in output.glob("*/point.json"):
            shutil.rmtree(point.parent)
        for checkpoint in output.glob("*/checkpoint.zip"):
            checkpoint.unlink()
    output.mkdir(parents=True, exist_ok=True)
    write_file(path, json.dumps(settings, indent=1).encode())


def _holds(path: Path, settings: dict[str, Any]) -> bool:
    """Whether a file, which may be damaged, has these settings."""
    try:
        return bool(bounds.parsed(read_file(path)) == settings)
    except ValueError:
        return False


def _points(run: "Run", options: argparse.Namespace) -> list[dict[str, Any]]:
    from train.shrink.importance import importance_of
    from train.shrink.points import measuring, point
    from train.shrink.selection import CHOICES, within

    importance, choose = importance_of(run.graph, run.job), CHOICES[options.method]
    whole = run.graph.macs(run.graph.all)

    def make(name: str, limits: Limits) -> dict[str, Any]:
        kept = within(run.graph, importance, limits, choose, measuring(run))
        return point(run, name, kept, limits.words)

    def share(name: str, part: float) -> dict[str, Any]:
        return make(name, Limits({"macs": whole * part}, f"macs={whole * part:.0f}"))

    if options.budget:
        return [make(limits.words.replace("=", "-").replace(",", "-"), limits) for limits in options.budget]
    if options.floor is not None:
        return list(smallest(options.points, options.floor, share))
    return list(halves(options.points, share))


def _document(run: "Run", options: argparse.Namespace, points: list[dict[str, Any]]) -> dict[str, Any]:
    from train.shrink.points import float_accuracy

    graph, manifest = run.graph, run.parent.manifest
    parent = {"name": manifest.name, "model": str(run.parent.path), "weights_sha256": manifest.weights_sha256}
    sizes = {"macs": graph.macs(graph.all), "parameters": graph.parameters(graph.all)}
    head = _settings(run.parent, options) | {"parent": parent | sizes | {"accuracy": float_accuracy(manifest)}}
    return head | {"points": points}


if __name__ == "__main__":
    sys.exit(main())
