"""Compare two models on the same images: how often they agree, which images flip, how far their probabilities differ.

Each is a Keras model, a `.tflite` on LiteRT or tflite-runtime, or an `.onnx`; both may be one file on two engines
(`model.tflite@litert model.tflite@tflite`). The second is compared with the first.

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

from convert.options import add_gate_option
from convert.processes.engine_answers import answers
from edgecnn.answers import as_probabilities, decided
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, table
from edgecnn.confidence import mcnemar
from edgecnn.dataset import Dataset
from edgecnn.dataset_reading import read_dataset
from edgecnn.engines import ENGINES, engines_for
from edgecnn.errors import EdgecnnError
from edgecnn.flips import Flips, listed_images
from edgecnn.manifest import Manifest
from edgecnn.modelfile import read_model
from edgecnn.verdict import Report, judge
from workstation.foreign_model import own_manifest
from workstation.keras_files.file_format import file_format
from workstation.keras_files.loading import load_keras
from workstation.keras_files.saved_model import is_saved_model
from workstation.keras_predict import predict
from workstation.output_kind import within_one


@dataclass(frozen=True)
class Side:
    """One of the two models."""

    name: str
    path: Path
    engine: str  # keras, or an engine's name


@dataclass(frozen=True)
class PairReport:
    """How the second model answers beside the first."""

    report: Report
    flips: Flips
    largest_difference: float  # of a probability
    mean_difference: float
    steps: float | None  # the largest difference in steps of the coarser quantized output; None where both are float


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m convert.verify`."""
    parser = command_parser("python -m convert.verify", __doc__)
    parser.add_argument("a", metavar="A[@ENGINE]", help="the model that the other is compared with")
    parser.add_argument("b", metavar="B[@ENGINE]")
    parser.add_argument("--data", type=Path, help=".npz or folder of images (default: validation.npz beside A)")
    add_gate_option(parser)
    options = parser.parse_args(argv)
    a, b = side(options.a), side(options.b)
    manifest = _first_manifest(a, b)
    data = read_dataset(options.data or a.path.with_name("validation.npz"), manifest)
    comparison = compare(a, b, data, manifest, options.max_drop)
    if options.json:
        print_json(document(a, b, data, comparison))
    else:
        print(table(("", f"{b.name} against {a.name}"), _rows(data, comparison)))
    return GATE_FAILED if comparison.report.failures else OK


def side(words: str) -> Side:
    """Parse `PATH` or `PATH@ENGINE`; the default engine is the first that runs the format.

    Raises:
        EdgecnnError: there is no such file or engine, or no engine that runs it.
    """
    name, _, engine = words.rpartition("@") if words.rpartition("@")[2] in ENGINES else (words, "", "")
    path = Path(name)
    model_format = "keras" if is_saved_model(path) else file_format(path)
    if model_format != "keras":
        return Side(words, path, engine or engines_for(model_format, name)[0])
    if engine:
        raise EdgecnnError(f"{words}: Keras itself runs {name}, no engine does: leave @{engine} out")
    return Side(words, path, "keras")


def _first_manifest(*sides: Side) -> Manifest:
    """The manifest of the first of the models that has one."""
    for model in sides:
        manifest = own_manifest(model.path) if model.engine == "keras" else read_model(model.path).manifest
        if manifest is not None:
            return manifest
    raise EdgecnnError(
        f"{sides[0].name} and {sides[1].name} have no manifest: compare one with what it was converted to"
    )


def compare(a: Side, b: Side, data: Dataset, manifest: Manifest, max_drop: float) -> PairReport:
    """Run both models over the images. If these have no labels, the answers of A are the labels.

    Raises:
        EdgecnnError: the models have other classes, or one takes other images.
    """
    (first, first_step), (second, second_step) = (_answers(model, data, manifest) for model in (a, b))
    if first.shape != second.shape:
        counts = f"{a.name} has {first.shape[1]} classes, and {b.name} {second.shape[1]}"
        raise EdgecnnError(f"{counts}: compare models of the same classes")
    parent, child = (decided(probabilities, manifest.multi_label) for probabilities in (first, second))
    labels = parent if data.labels is None else data.labels
    report = judge(labels, parent, child, None, max_drop, manifest.labels)
    assert report.flips is not None
    difference = np.abs(first - second)
    largest = float(difference.max())
    steps = [step for step in (first_step, second_step) if step]
    in_steps = round(largest / max(steps), 2) if steps else None
    return PairReport(report, report.flips, largest, float(difference.mean()), in_steps)


def _answers(model: Side, data: Dataset, manifest: Manifest) -> tuple[npt.NDArray[np.float32], float | None]:
    """Probabilities, (n, classes); the output's quantization step, None where it is float."""
    if model.engine != "keras":
        return answers(read_model(model.path), model.engine, data.images)
    network = load_keras(model.path)
    if tuple(network.inputs[0].shape[1:]) != data.images.shape[1:]:
        have, want = ("x".join(map(str, shape)) for shape in (data.images.shape[1:], network.inputs[0].shape[1:]))
        raise EdgecnnError(f"{model.name} takes images of {want}, these are {have}: compare models of the same images")
    outputs = predict(network, data.images, manifest.input)
    if outputs.shape[1] == 1 and not within_one(outputs):
        outputs = 1 / (1 + np.exp(-outputs))  # the converted model has its sigmoid inside, see workstation.output_kind
    return as_probabilities(outputs, manifest.output), None


def document(a: Side, b: Side, data: Dataset, comparison: PairReport) -> dict[str, Any]:
    """What `--json` prints, with the indices of all flipped images."""
    report, flips = comparison.report, comparison.flips
    places = {"lost": flips.lost, "gained": flips.gained, "changed": flips.changed}
    return {
        "a": {"model": str(a.path), "engine": a.engine},
        "b": {"model": str(b.path), "engine": b.engine},
        "images": report.images,
        "agreement": 1 - flips.count / report.images,
        "accuracy": report.accuracy,
        "net_loss": flips.net_loss,
        **{name: data.indices[place].tolist() for name, place in places.items()},
        "mcnemar_p": mcnemar(len(flips.lost), len(flips.gained)),
        "largest_difference": comparison.largest_difference,
        "mean_difference": comparison.mean_difference,
        "largest_difference_steps": comparison.steps,
        "verdict": report.verdict,
        "failures": list(report.failures),
        "notes": [*report.notes, *data.warnings],
    }


def _rows(data: Dataset, comparison: PairReport) -> list[tuple[str, str]]:
    report, flips = comparison.report, comparison.flips
    unlabelled = "" if data.labels is not None else ", without labels: A is taken as right"
    steps = "" if comparison.steps is None else f"   {comparison.steps} steps of the quantized output"
    difference = f"largest {comparison.largest_difference:.1e}, mean {comparison.mean_difference:.1e}{steps}"
    return [
        ("images", f"{report.images:,}{unlabelled}"),
        ("agreement", f"{1 - flips.count / report.images:.4f}"),
        ("accuracy", f"{report.accuracy:.4f}"),
        *((name, listed_images(getattr(flips, name), data.indices)) for name in ("lost", "gained", "changed")),
        ("McNemar p", f"{mcnemar(len(flips.lost), len(flips.gained)):.2f}"),
        ("difference", difference),
        ("verdict", "   ".join((report.verdict, *report.failures))),
        *(("", note) for note in (*report.notes, *data.warnings)),
    ]


if __name__ == "__main__":
    sys.exit(main())
