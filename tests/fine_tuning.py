"""A training that starts from weights, and one that was cut off twice: JSON on stdout."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from train.checkpoint import State
from train.datasets import Data
from train.fit import fit
from train.job import Job
from train.named_networks import named_network
from train.pretrained import with_weights
from train.recipes import RECIPES

EPOCHS = 5  # the first of them frozen
SHAPE = (12, 12, 1)
random = np.random.default_rng(0)
images, labels = random.integers(0, 256, (160, *SHAPE), np.uint8), random.integers(0, 3, 160)
data = Data("noise", ("a", "b", "c"), images, labels, images[:1], labels[:1], stratified=False)
save = State.save


class CutOffError(Exception):
    """In place of a kill."""


def save_and_stop(state: State, path: Path) -> None:
    """Save a checkpoint as ever; stop after the last frozen epoch and after the first that is not."""
    save(state, path)
    if state.epochs < 3:
        raise CutOffError


def cut_off(job: Job, folder: Path) -> list[bytes]:
    """The weights of a training that was stopped twice."""
    State.save = save_and_stop  # type: ignore[method-assign]
    for resume in (False, True):
        try:
            fit(job, folder, resume)
        except CutOffError:
            continue
    State.save = save  # type: ignore[method-assign]
    return [array.tobytes() for array in fit(job, folder, True).model.get_weights()]


with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    network = named_network("ds_cnn", 0.125, SHAPE, 5)
    network.build(SHAPE, 5).save(folder / "five.keras")
    network.build(SHAPE, 5).save(folder / "five.h5")
    jobs = {
        kind: Job(data, with_weights(network, str(folder / f"five.{kind}"), SHAPE, 3), RECIPES["photos"], EPOCHS, 0)
        for kind in ("keras", "h5")
    }
    job = jobs["keras"]
    start = job.network.build(SHAPE, 3)
    frozen = fit(replace(job, epochs=1), folder).model
    tuned = fit(job, folder).model
    kept = [layer.name for layer in start.layers if layer.weights and layer.name in job.network.pretrained]
    same = {
        words: [
            name
            for name in kept
            if all(
                np.array_equal(*pair)
                for pair in zip(start.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True)
            )
        ]
        for words, model in (("frozen", frozen), ("tuned", tuned))
    }
    document = {
        "pretrained": {kind: sorted(other.network.pretrained) for kind, other in jobs.items()},
        "kept": {words: len(names) for words, names in same.items()},
        "resumes": cut_off(job, folder) == [array.tobytes() for array in tuned.get_weights()],
    }
print(json.dumps(document))
