"""Compare two models on the same images: how often they agree, which images flip, how far their answers lie apart.

Any two of: a Keras model, a `.tflite` on LiteRT or tflite-runtime, an `.onnx`; one file on two engines too
(`model.tflite@litert model.tflite@tflite`). The first is the one the second is held against.

Examples:
  python -m convert.verify artifacts/mnist/model.keras artifacts/mnist/model_int8.tflite
  python -m convert.verify model_int8.tflite@litert model_int8.tflite@tflite --data evaluation.npz
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from convert.keras_files.keras2 import file_format
from convert.keras_files.loading import load_keras
from convert.keras_files.saved_model import is_saved_model
from convert.options import add_gate_option
from convert.output_kind import within_one
from convert.parent import own_manifest, predict
from convert.processes.engines import answers
from edgecnn.answers import as_probabilities, decided
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.confidence import mcnemar
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_dataset
from edgecnn.engines import ENGINES, engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.flips import listed_images
from edgecnn.manifest import Manifest
from edgecnn.modelfile import read_model
from edgecnn.verdict import Report, judge_labels


@dataclass(frozen=True)
class Side:
    """One of the two models."""

    name: str
    path: Path
    engine: str  # keras, or an engine's name


@dataclass(frozen=True)
class Found:
    """What a comparison found."""

    report: Report
    largest_difference: float  # of a probability
    mean_difference: float
    steps: float | None  # the largest difference in steps of the coarser quantized output


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.verify`."""
    parser = command_parser("python -m convert.verify", __doc__)
    parser.add_argument("a", metavar="A[@ENGINE]", help="the model that the other is held against")
    parser.add_argument("b", metavar="B[@ENGINE]")
    parser.add_argument("--data", type=Path, help=".npz or folder of images (default: validation.npz beside A)")
    add_gate_option(parser)
    options = parser.parse_args(argv)
    a, b = side(options.a), side(options.b)
    manifest = _known(a, b)
    data = read_dataset(options.data or a.path.with_name("validation.npz"), manifest)
    found = compare(a, b, data, manifest, options.max_drop)
    if options.json:
        print_json(document(a, b, data, found))
    else:
        print(table(("", f"{b.name} against {a.name}"), _rows(data, found)))
    return GATE_FAILED if found.report.failures else OK


def side(words: str) -> Side:
    """A model and its engine from `PATH` or `PATH@ENGINE`.

    Raises:
        EdgecnnError: there is no such file or engine, or no engine that runs it.
    """
    name, _, engine = words.rpartition("@") if words.rpartition("@")[2] in ENGINES else (words, "", "")
    path = Path(name)
    kind = "keras" if is_saved_model(path) else file_format(path)
    if kind == "keras" and engine:
        raise EdgecnnError(f"{words}: Keras itself runs {name}, no engine does: leave @{engine} out")
    return Side(words, path, "keras" if kind == "keras" else engine or engines_for(kind, name)[0])


def _known(*sides: Side) -> Manifest:
    """What is said of the images by the first of the models that says something."""
    for each in sides:
        manifest = own_manifest(each.path) if each.engine == "keras" else read_model(each.path).manifest
        if manifest is not None:
            return manifest
    raise EdgecnnError(
        f"{sides[0].name} and {sides[1].name} have no manifest: compare one with what it was converted to"
    )


def compare(a: Side, b: Side, data: Dataset, manifest: Manifest, max_drop: float) -> Found:
    """Run both models over the images; where these have no labels, the answers of A stand for them.

    Raises:
        EdgecnnError: they have other classes, or one takes other images.
    """
    (first, first_step), (second, second_step) = (_answers(each, data, manifest) for each in (a, b))
    if first.shape != second.shape:
        counts = f"{a.name} has {first.shape[1]} classes, and {b.name} {second.shape[1]}"
        raise EdgecnnError(f"{counts}: compare models of the same classes")
    parent, child = (decided(answer, manifest.multi_label) for answer in (first, second))
    labels = parent if data.labels is None else data.labels
    report = judge_labels(manifest.labels, labels, parent, child, None, max_drop)
    difference = np.abs(first - second)
    steps = [step for step in (first_step, second_step) if step]
    largest = float(difference.max())
    return Found(report, largest, float(difference.mean()), round(largest / max(steps), 2) if steps else None)


def _answers(which: Side, data: Dataset, manifest: Manifest) -> tuple[npt.NDArray[np.float32], float | None]:
    """Probabilities (n, classes), and the step of the output where it is quantized."""
    if which.engine != "keras":
        return answers(read_model(which.path), which.engine, data.images)
    model = load_keras(which.path)
    if tuple(model.inputs[0].shape[1:]) != data.images.shape[1:]:
        have, want = ("x".join(map(str, shape)) for shape in (data.images.shape[1:], model.inputs[0].shape[1:]))
        raise EdgecnnError(f"{which.name} takes images of {want}, these are {have}: compare models of the same images")
    given = predict(model, data.images, manifest.input)
    if given.shape[1] == 1 and not within_one(given):
        given = 1 / (1 + np.exp(-given))  # the converted model has its sigmoid inside, see convert.output_kind
    return as_probabilities(given, manifest.output), None


def document(a: Side, b: Side, data: Dataset, found: Found) -> dict[str, Any]:
    """For `--json`: with the indices of all flipped images."""
    flips = found.report.flips
    assert flips is not None
    places = {"lost": flips.lost, "gained": flips.gained, "changed": flips.changed}
    return {
        "a": {"model": str(a.path), "engine": a.engine},
        "b": {"model": str(b.path), "engine": b.engine},
        "images": found.report.images,
        "agreement": 1 - flips.count / found.report.images,
        "accuracy": found.report.accuracy,
        "net_loss": flips.net_loss,
        **{name: data.indices[place].tolist() for name, place in places.items()},
        "mcnemar_p": mcnemar(len(flips.lost), len(flips.gained)),
        "largest_difference": found.largest_difference,
        "mean_difference": found.mean_difference,
        "largest_difference_steps": found.steps,
        "verdict": found.report.verdict,
        "failures": list(found.report.failures),
        "notes": [*found.report.notes, *data.warnings],
    }


def _rows(data: Dataset, found: Found) -> list[tuple[str, str]]:
    flips = found.report.flips
    assert flips is not None
    steps = "" if found.steps is None else f"   {found.steps} steps of the quantized output"
    p = mcnemar(len(flips.lost), len(flips.gained))
    return [
        (
            "images",
            f"{found.report.images:,}{'' if data.labels is not None else ', without labels: A is taken as right'}",
        ),
        ("agreement", f"{1 - flips.count / found.report.images:.4f}"),
        ("accuracy", f"{found.report.accuracy:.4f}"),
        *((name, listed_images(getattr(flips, name), data.indices)) for name in ("lost", "gained", "changed")),
        ("McNemar p", f"{p:.2f}"),
        ("difference", f"largest {found.largest_difference:.1e}, mean {found.mean_difference:.1e}{steps}"),
        ("verdict", "   ".join((found.report.verdict, *found.report.failures))),
        *(("", note) for note in (*found.report.notes, *data.warnings)),
    ]


if __name__ == "__main__":
    sys.exit(main())
