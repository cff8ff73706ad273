"""MNIST's four files: read from a folder or downloaded, and checked."""

import os
from pathlib import Path

import pooch
import requests

from edgecnn.errors import EdgecnnError
from edgecnn.file_lock import locked
from edgecnn.files import read_file, sha256
from train.cache import cache_folder
from train.idx import Split, as_splits, parse_idx

FILES = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
_TIMEOUT = 10  # seconds without a byte
_CHUNK = 1 << 12  # bytes that a broken transfer may lose


class UnavailableError(EdgecnnError):
    """MNIST is not on this machine, and no mirror could be reached."""


def read_mnist(folder: Path | None = None) -> tuple[*Split, *Split]:
    """Read MNIST from `folder`, else from the folder that `MNIST_DIR` names, else from the user's cache.

    Files that the cache lacks are downloaded.

    Returns:
        Training images (60000, 28, 28, 1), their labels, test images (10000, 28, 28, 1), their labels.

    Raises:
        UnavailableError: nothing names a folder, and the download failed.
        EdgecnnError: a file is missing from the folder, or is not the original.
    """
    folder = folder or (Path(os.environ["MNIST_DIR"]) if os.environ.get("MNIST_DIR") else download())
    return as_splits(folder, [parse_idx(name, _read_original(folder / name, sha)) for name, sha in FILES.items()])


def _read_original(path: Path, expected: str) -> bytes:
    """The bytes of a file whose SHA-256 is the one expected."""
    data = read_file(path)
    actual = sha256(data)
    if actual != expected:
        raise EdgecnnError(
            f"{path} is damaged or another file: SHA-256 {expected} expected, but it is {actual}; get it again,"
            " or name the classes of another data set with --labels"
        )
    return data


def download(cache: Path | None = None, mirrors: tuple[str, ...] = MIRRORS) -> Path:
    """Download MNIST's files into `cache` (default: the user's), each from the first mirror that has it whole.

    A transfer that broke off is resumed, from any mirror; a file whose SHA-256 is wrong is not kept. If two downloads
    share a cache, the second one waits for each file of the first.

    Returns:
        The folder.

    Raises:
        UnavailableError: no mirror has a file whole.
    """
    cache = cache or cache_folder("mnist")
    for name, expected in FILES.items():
        with locked(cache / name):
            fetched = _fetch(name, expected, cache, mirrors)
        if not fetched:
            raise UnavailableError(
                f"no mirror gave {name}; put MNIST's four .gz files in a folder and name it: --data FOLDER"
            )
    return cache


def _fetch(name: str, expected: str, cache: Path, mirrors: tuple[str, ...]) -> bool:
    """Download a file from the first mirror that has it; whether one had."""
    for mirror in mirrors:
        try:
            pooch.retrieve(mirror + name, f"sha256:{expected}", name, cache, downloader=_resume)
            return True
        except (requests.RequestException, ValueError):  # pooch raises ValueError for a wrong hash
            continue
    return False


def _resume(url: str, output: str, _: pooch.Pooch) -> None:
    """A downloader for pooch: continues a broken transfer of the same file."""
    from tqdm import tqdm

    part = Path(output).parent / (url.rsplit("/", 1)[1] + ".part")
    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:  # the file is whole already
            part.replace(output)
            return
        answer.raise_for_status()
        resumed = answer.status_code == requests.codes.partial_content
        start = start if resumed else 0
        total = start + int(answer.headers.get("Content-Length", 0))
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(desc=part.stem, total=total or None, initial=start, unit="B", unit_scale=True) as bar,
        ):
            for chunk in answer.iter_content(_CHUNK):
                bar.update(file.write(chunk))
    if total and part.stat().st_size < total:
        raise requests.ConnectionError(f"{url} broke off")
    part.replace(output)
