"""Golden answers: the answers of models on the machine that converted them, to compare with those of a device.

`edgecnn golden FOLDER --make` writes them on that machine, and so does `python -m deploy.bundle`. `golden.npz` holds
images, plain ones and the same blended with noise (plain ones saturate the softmax), and the probabilities of every
model on every engine. A device may differ by a step of an int8 output, or by 1e-5 of a float one: kernels of other
CPUs add up in another order.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgecnn.answers import changed_answers
from edgecnn.command import GATE_FAILED, OK, print_json, table
from edgecnn.dataset_reading import read_dataset
from edgecnn.engines import ENGINES, engine_names, engines_of
from edgecnn.errors import EdgecnnError
from edgecnn.files import write_file
from edgecnn.model_opening import open_model
from edgecnn.modelfile import ModelFile, read_model
from edgecnn.npz import npz, read_npz
from edgecnn.selection import models_in

FILE = "golden.npz"
IMAGES = 16  # with answers
FLOAT_BOUND = 1e-5
_STEPS = 1  # of an int8 output
_MOST = 1000  # images in a golden.npz
_AT = "@"  # between a model's file name and an engine

Images = npt.NDArray[np.uint8]
Answers = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Comparison:
    """The answers of a model on an engine, compared with its golden ones."""

    model: str
    engine: str
    images: int
    changed: int  # answers with another label
    worst: float  # the largest difference of a probability; in steps if the output has steps
    steps: bool

    @property
    def passed(self) -> bool:
        """Whether the difference is within the bound."""
        return self.worst <= (_STEPS if self.steps else FLOAT_BOUND)


def run(options: argparse.Namespace) -> int:
    """The command `edgecnn golden`: `GATE_FAILED` if a model answers otherwise."""
    if options.make:
        write_file(options.folder / FILE, _golden_of(options.folder))
    rows = compare(options.folder, options.engine)
    if options.json:
        print_json([asdict(row) | {"passed": row.passed} for row in rows])
    else:
        print(table(("model", "engine", "images", "other labels", "off by at most", "verdict"), map(_cells, rows)))
    return OK if all(row.passed for row in rows) else GATE_FAILED


def _cells(row: Comparison) -> tuple[object, ...]:
    worst = f"{row.worst:.0f} steps" if row.steps else f"{row.worst:.0e}"
    return (row.model, row.engine, row.images, row.changed, worst, "PASS" if row.passed else "FAIL")


def blended(images: Images) -> Images:
    """Images, plain, and blended half and half with noise."""
    noise = np.random.default_rng(0).integers(0, 256, images.shape, np.uint8)
    return np.concatenate([images, images // 2 + noise // 2])


def _golden_of(folder: Path) -> bytes:
    """The golden.npz of all models of a folder, on images of its evaluation.npz."""
    models = models_in(folder)
    return make(models, read_dataset(folder / "evaluation.npz", read_model(models[0]).manifest).sample(IMAGES).images)


def make(models: Sequence[Path], images: Images) -> bytes:
    """A golden.npz: the answers of every model on every engine here."""
    answers: dict[str, npt.NDArray[Any]] = {"images": blended(images)}
    for path in models:
        for engine in engines_of(path, read_model(path).manifest.format):
            answers[f"{path.name}{_AT}{engine}"] = _answers(path, engine, answers["images"])[0]
    return npz(answers)


def compare(folder: Path, only: str | None = None) -> list[Comparison]:
    """Compare every model of a folder on every engine that is here and has golden answers, or on `only` one engine.

    Golden answers of a model that is not in the folder are ignored.

    Raises:
        EdgecnnError: the folder has no golden answers, or none of a model and an engine that are here.
    """
    if only not in (None, *ENGINES):
        raise EdgecnnError(f"there is no engine {only!r}: choose {engine_names()}")
    path = folder / FILE
    if not path.exists():
        raise EdgecnnError(
            f"{path} is missing: on the machine that converted the models, run edgecnn golden {folder} --make"
        )
    images, stored = _stored(path)
    rows = []
    here = {answers: expected for answers, expected in stored.items() if (folder / answers[0]).exists()}
    for (name, engine), expected in here.items():
        model = read_model(folder / name)
        if only in (None, engine) and engine in engines_of(model.path, model.manifest.format):
            rows.append(_compared(model, engine, images, expected))
    if not here:
        raise EdgecnnError(f"{path} has answers of {', '.join(sorted({name for name, _ in stored}))}: none is here")
    if not rows:
        engines = ", ".join(sorted({engine for _, engine in here}))
        raise EdgecnnError(f"none of the engines with golden answers ({engines}) is here: edgecnn doctor says why")
    return rows


def _stored(path: Path) -> tuple[Images, dict[tuple[str, str], Answers]]:
    """The images of a golden.npz, and the answers by model and engine.

    Raises:
        EdgecnnError: it is damaged, or edgecnn did not write it.
    """
    arrays = read_npz(path)
    images = arrays.pop("images", np.empty(0))
    answers = {(model, engine): array for name, array in arrays.items() for model, _, engine in [name.partition(_AT)]}
    sound = all(
        model == Path(model).name and array.dtype.kind == "f" and array.ndim == 2 and np.isfinite(array).all()
        for (model, _), array in answers.items()
    )
    if images.dtype != np.uint8 or not 0 < len(images) <= _MOST or not sound:
        raise EdgecnnError(f"{path} holds no golden answers: edgecnn golden {path.parent} --make writes them")
    return images, answers


def _compared(model: ModelFile, engine: str, images: Images, expected: Answers) -> Comparison:
    if images.shape[1:] != model.manifest.input.shape or expected.shape != (len(images), len(model.manifest.labels)):
        raise EdgecnnError(f"the golden answers of {model.path} are another model's: edgecnn golden --make writes them")
    answers, step = _answers(model.path, engine, images)
    worst = float(np.abs(answers - expected).max())
    changed = changed_answers(expected, answers, model.manifest.multi_label)
    worst = round(worst / step) if step else worst
    return Comparison(model.path.name, engine, len(images), changed, worst, step is not None)


def _answers(path: Path, engine: str, images: Images) -> tuple[npt.NDArray[np.float32], float | None]:
    """Raw probabilities, (images, classes), and the step between two of them of a quantized output."""
    with open_model(path, engine) as classifier:
        probabilities = np.stack([prediction.raw_probabilities for prediction in classifier.predict_batch(images)])
        return probabilities, classifier.output_step if classifier.manifest.output != "logits" else None
