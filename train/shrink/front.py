"""The networks of a front as files: front.json, front.md, front.png."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from edgecnn.command import table
from edgecnn.escape import for_markdown
from edgecnn.files import write_file
from edgecnn.flips import lost_and_gained
from train.summary import in_epochs
from workstation.charts import BLUE, logarithmic, png

HEAD = (
    "network", "budget", "MACs", "parameters", "int8, test", "95 %", "validation", "TFLite", "C", "arena",
    "us litert", "us native", "flips", "McNemar p",
)  # fmt: skip
_STYLE: Any = {"text.parse_math": False, "axes.spines.top": False, "axes.spines.right": False, "font.size": 10}


def write_front(output: Path, document: dict[str, Any]) -> None:
    """Write the files of a front, whose points stand in `document`."""
    write_file(output / "front.json", json.dumps(document, indent=1).encode())
    write_file(output / "front.md", _markdown(document).encode())
    write_file(output / "front.png", _chart(document))


def front_table(points: Sequence[dict[str, Any]]) -> str:
    """The points as people read them."""
    return table(HEAD, [row(point) for point in points])


def row(point: dict[str, Any]) -> tuple[str, ...]:
    """A point under `HEAD`."""
    head = (point["name"], point["budget"], f"{point['macs']:,}", f"{point['parameters']:,}")
    if not point["converted"]:
        return (*head, "refused by the gate", *[""] * (len(HEAD) - len(head) - 1))
    test, flips = point["accuracy"]["evaluation"], point["flips"]
    return (
        *head,
        f"{test['accuracy']:.4f}",
        f"{test['low']:.4f} to {test['high']:.4f}",
        f"{point['accuracy']['validation']['accuracy']:.4f}",
        *(f"{point[name]:,}" for name in ("tflite", "flash", "arena")),
        *(f"{point['us'][engine]:.1f}" for engine in ("litert", "native")),
        lost_and_gained(flips["lost"], flips["gained"]),
        f"{flips['mcnemar_p']:.2g}",
    )


def _markdown(document: dict[str, Any]) -> str:
    parent, points = document["parent"], document["points"]
    rows = [HEAD, ("---",) * len(HEAD), *map(row, points)]
    measured = sorted({f"{point['cpu']}, {point['day']}" for point in points if point["converted"]})
    lines = [
        f"# Smaller forms of {for_markdown(parent['name'])}",
        "",
        f"The parent: {parent['macs']:,} multiply-accumulates, {parent['parameters']:,} parameters, in float"
        f" {parent['accuracy']['evaluation']:.4f} on the test split. Method {document['method']}, recipe"
        f" {document['recipe']}, {in_epochs(document['epochs'])} for each network, seed {document['seed']}. The"
        " test split chose nothing. Flips are against the parent. Bytes of C are its constants; microseconds are"
        f" hurried: {for_markdown('; '.join(measured)) or 'none'}.",
        "",
        *("| " + " | ".join(map(for_markdown, cells)) + " |" for cells in rows),
        "",
    ]
    return "\n".join(lines)


def _chart(document: dict[str, Any]) -> bytes:
    points = [point for point in document["points"] if point["converted"]]
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.subplots()
        for point in points:
            test = point["accuracy"]["evaluation"]
            axes.plot([point["macs"]] * 2, [test["low"], test["high"]], color=BLUE, linewidth=1)
            axes.annotate(point["name"], (point["macs"], test["accuracy"]), xytext=(5, -10), textcoords="offset points")
        x, y = [point["macs"] for point in points], [point["accuracy"]["evaluation"]["accuracy"] for point in points]
        axes.plot(x, y, "o", color=BLUE, label="int8, with the 95 % interval")
        parent = document["parent"]
        axes.plot(parent["macs"], parent["accuracy"]["evaluation"], "s", color="#444444", label="the parent, in float")
        axes.set(xlabel="multiply-accumulates of an image", ylabel="accuracy on the test split")
        logarithmic(axes)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False, loc="lower right")
        return png(figure)
