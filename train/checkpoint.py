"""The state of a training after an epoch: one that was cut off resumes, and ends with the same weights."""

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file, write_file
from edgecnn.seal import check_seal, unzip_members, zip_members

Arrays = list[npt.NDArray[Any]]
History = dict[str, list[float]]

_ARRAYS = "arrays", "best", "averages"  # members of a checkpoint


@dataclass(frozen=True)
class State:
    """All that the next epoch depends on."""

    job: dict[str, Any]  # what determines the weights, see `train.job.Job`
    epochs: int  # done
    history: History  # by epoch
    arrays: Arrays  # weights, seeds of dropout, the optimizer's moments
    best: Arrays  # the weights that answer: of the best epoch if the training may stop early, else of the last
    averages: Arrays  # the running mean of the weights, if the recipe has one
    seconds: float

    def save(self, path: Path) -> None:
        """Write the state, whole or not at all.

        Raises:
            OSError: the folder cannot be written, or the disk is full; an older state then stays.
        """
        document = {"job": self.job, "epochs": self.epochs, "history": self.history, "seconds": self.seconds}
        packed = {f"{name}.npz": _packed(getattr(self, name)) for name in _ARRAYS}
        write_file(path, zip_members({"state.json": json.dumps(document).encode()} | packed))


def read_state(path: Path, job: dict[str, Any]) -> State:
    """Read the state of an earlier training of the same `job`.

    Raises:
        EdgecnnError: there is none, it is damaged, or it is another job's.
    """
    if not path.exists():
        raise EdgecnnError(f"{path} does not exist, so there is nothing to resume: leave --resume away")
    data = read_file(path)
    try:
        check_seal(str(path), data)
        members = unzip_members(data)
        document = json.loads(members["state.json"])
        arrays: dict[str, Any] = {name: _unpacked(members[f"{name}.npz"]) for name in _ARRAYS}
        state = State(**document, **arrays)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError):
        raise EdgecnnError(f"{path} is no checkpoint of python -m train: leave --resume away") from None
    differing = [f"{name} {state.job.get(name)}, not {job[name]}" for name in job if state.job.get(name) != job[name]]
    if differing:
        raise EdgecnnError(
            f"{path} is of another training ({'; '.join(differing)}): repeat its options, or leave --resume away"
        )
    return state


def variables(model: keras.Model) -> list[Any]:
    """The variables of a compiled model that the next epoch depends on, none twice."""
    model.optimizer.build(model.trainable_variables)
    both = [*model.variables, *model.optimizer.variables]
    return list({id(variable): variable for variable in both}.values())


def values(variables: list[Any]) -> Arrays:
    """What the variables hold now."""
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assign(variables: list[Any], arrays: Arrays) -> None:
    """Set the variables to what `values` returned."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    return buffer.getvalue()


def _unpacked(data: bytes) -> Arrays:
    with np.load(io.BytesIO(data), allow_pickle=False) as packed:
        return [packed[name] for name in packed.files]
