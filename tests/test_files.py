"""Files are whole or not there; damage is seen."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.files import check_writable, hash_arrays, read_file, write_file


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "model"
    write_file(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write_file(path, bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_a_pipe_and_a_device_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(EdgecnnError, match="it is a pipe or a device, not a file"):
            read_file(path)
    with pytest.raises(EdgecnnError, match="it is a folder"):
        read_file(tmp_path)


def test_a_file_beyond_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(EdgecnnError, match="has more than 17,179,869,184 bytes"):
        read_file(path)


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "a/b/c.json")
    assert not any(tmp_path.iterdir())
    (tmp_path / "file").touch()
    for path, why in (
        (tmp_path, "is a folder: name a file"),
        (tmp_path / "file/a.json", "cannot be written"),
        (Path("/proc/a.json"), "cannot be written"),
    ):
        with pytest.raises(EdgecnnError, match=why):
            check_writable(path)


def test_hash_of_arrays_sees_values_shape_dtype_and_order() -> None:
    base = [np.zeros((2, 3), np.float32), np.ones(2, np.float32)]
    others = [
        [np.zeros((3, 2), np.float32), base[1]],
        [base[0].astype(np.float64), base[1]],
        [base[0], base[1] + 1],
        base[::-1],
    ]
    assert hash_arrays(base) == hash_arrays([array.copy() for array in base])
    assert len({hash_arrays(arrays) for arrays in [base, *others]}) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="a bound on memory is kept on Linux alone")
def test_a_small_file_is_read_where_there_is_little_memory(tmp_path: Path) -> None:
    """A board of 512 MB has not the bytes that a file may have at most."""
    (tmp_path / "small").write_bytes(bytes(100_000))
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom edgecnn.files import read_file\n"
        "now = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize() + 2**26\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now, now))\n"
        "print(len(read_file(Path(sys.argv[1]))), len(read_file(Path('/proc/self/stat'))) > 0)\n"
    )
    words = [sys.executable, "-c", code, tmp_path / "small"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "100000 True\n"
