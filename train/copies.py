"""Distorted copies of the images that teachers answer: made once and kept in the user's cache.

All networks and seeds that are fitted to the same images, distorted in the same way, see the same copies; each epoch
sees one of them.
"""

import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgecnn.files import sha256, write_file
from train import distortions
from train.cache import cache_folder, check_room, forget
from train.job import Job, distorted


def copies_key(job: Job) -> str:
    """SHA-256 of what determines the copies: the images, the distortions, and the code that distorts."""
    code = sha256(Path(distortions.__file__).read_bytes())
    parts = [job.data.sha256, job.holds_out, asdict(job.recipe)["distortion"], code, np.__version__]
    return sha256(json.dumps(parts).encode())


def copy_of(job: Job, number: int) -> npt.NDArray[np.uint8]:
    """A copy of the images that a job is fitted to, distorted if its recipe says so, mapped from the cache or made now.

    Raises:
        EdgecnnError: the cache has no room.
        OSError: the cache cannot be written.
    """
    if job.recipe.distortion is None:
        return distorted(job, job.fitted_indices, number)
    folder = cache_folder("copies")
    entry = folder / copies_key(job)[:16]
    path = entry / f"{number}.npy"
    if not path.exists():
        _save(path, distorted(job, job.fitted_indices, number))
        forget(folder, entry)
    copies: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return copies


def _save(path: Path, copies: npt.NDArray[np.uint8]) -> None:
    buffer = io.BytesIO()
    np.save(buffer, copies)
    path.parent.mkdir(parents=True, exist_ok=True)
    check_room(path.parent, copies.nbytes, "choose a recipe without teachers")
    write_file(path, buffer.getvalue())
