"""Put fronts of train.shrink side by side: what smaller networks lose against their parents.

Reads the front.json of each folder. Accuracies are of the int8 models on the test split, which chose nothing; the loss
is against the parent in float.

Example:
  python -m benchmarks.fronts artifacts/cifar/front artifacts/mnist/front --json > fronts.json
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.provenance import provenance
from edgecnn.command import OK, command, command_parser, print_json, table
from edgecnn.errors import EdgecnnError

HEAD = ("parent", "MACs", "epochs", "parameters", "TFLite", "us native", "validation", "test", "loss", "McNemar p")


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.fronts`."""
    parser = command_parser("python -m benchmarks.fronts", __doc__)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FRONT", help="a folder that train.shrink wrote")
    options = parser.parse_args(argv)
    points = [point for folder in options.folders for point in _points(folder)]
    if options.json:
        print_json({"points": points} | provenance())
    else:
        print(table(HEAD, rows(points)))
    return OK


def _points(folder: Path) -> Iterator[dict[str, Any]]:
    """The networks of a front that the gate let through, with what the table needs of their parent."""
    try:
        front = json.loads((folder / "front.json").read_bytes())
        parent = {name: front["parent"][name] for name in ("name", "network", "macs")}
        parent["accuracy"] = front["parent"]["accuracy"]["evaluation"]
        for point in front["points"]:
            if point["converted"]:
                sizes = {name: point[name] for name in ("macs", "parameters", "tflite", "us", "flips")}
                fit = {"parent": parent, "recipe": front["recipe"], "epochs": front["epochs"]}
                yield fit | sizes | accuracies(point)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EdgecnnError(f"{folder} holds no front.json of python -m train.shrink: name its front/") from error


def accuracies(point: dict[str, Any]) -> dict[str, float]:
    """The accuracy of a front's network in int8, by split."""
    return {split: point["accuracy"][split]["accuracy"] for split in ("validation", "evaluation")}


def rows(points: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A row for each network, under `HEAD`."""
    return [_row(point) for point in points]


def _row(point: dict[str, Any]) -> tuple[str, ...]:
    parent = point["parent"]
    return (
        f"{parent['network']}, {parent['name']}: {parent['accuracy']:.4f}",
        f"{point['macs']:,} ({point['macs'] / parent['macs']:.0%})",
        str(point["epochs"]),
        f"{point['parameters']:,}",
        f"{point['tflite']:,}",
        f"{point['us']['native']:.1f}",
        f"{point['validation']:.4f}",
        f"{point['evaluation']:.4f}",
        f"{parent['accuracy'] - point['evaluation']:.4f}",
        f"{point['flips']['mcnemar_p']:.2g}",
    )


if __name__ == "__main__":
    sys.exit(main())
