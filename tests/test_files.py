"""Files are whole or not there; damage is seen."""

import contextlib
import io
import json
import os
import resource
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.files import (
    check_seal,
    check_writable,
    has_sealed_zip,
    hash_arrays,
    load_npy,
    locked,
    read_file,
    read_npz,
    stored_member,
    unzip_members,
    write_file,
    zip_members,
)


def test_a_sealed_zip_reads_back_and_is_a_zip() -> None:
    data = zip_members({"a": b"1", "b": b"22"}, before=b"flatbuffer")
    assert has_sealed_zip(data)
    check_seal("it", data)
    assert unzip_members(data) == {"a": b"1", "b": b"22"}
    assert [stored_member(data, name) for name in ("a", "b", "c")] == [b"1", b"22", None]
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    assert data == zip_members({"a": b"1", "b": b"22"}, before=b"flatbuffer")


def test_members_join_a_zip_that_is_there() -> None:
    inner = zip_members({"config.json": b"{}"})
    both = zip_members({"more": b"1"}, before=inner)
    assert unzip_members(both) == {"config.json": b"{}", "more": b"1"}
    assert stored_member(both, "more") == b"1"


def test_a_changed_byte_names_both_hashes() -> None:
    data = bytearray(zip_members({"a": b"1"}))
    data[3] ^= 1
    with pytest.raises(EdgecnnError, match=r"it is damaged: SHA-256 [0-9a-f]{64} expected, [0-9a-f]{64} found"):
        check_seal("it", bytes(data))


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


ADD = """
import json, sys
from pathlib import Path
from edgecnn.files import locked, write_file
path = Path(sys.argv[1])
for number in range(20):
    with locked(path):
        known = json.loads(path.read_bytes()) if path.exists() else []
        write_file(path, json.dumps([*known, number]).encode())
"""


def test_a_file_that_four_processes_change_at_once_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    running = [subprocess.Popen([sys.executable, "-c", ADD, path]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0] * 4
    assert sorted(json.loads(path.read_bytes())) == sorted([*range(20)] * 4)
    assert [file.name for file in tmp_path.iterdir()] == ["models.json"]  # neither a lock nor a temporary file stays


def test_a_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    hold = "import sys, time\nfrom pathlib import Path\nfrom edgecnn.files import locked\n"
    hold += "with locked(Path(sys.argv[1])):\n print(flush=True)\n time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", hold, path], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    with locked(path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    wrong = pytest.raises(EdgecnnError, match=r"models\.json cannot be changed: its folder cannot be written")
    with wrong, locked(tmp_path / "file" / "models.json"):
        raise AssertionError("it is not locked")


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


@pytest.mark.parametrize("members", [{"a": bytes(400_000_000)}, {str(name): b"" for name in range(10_001)}])
def test_a_zip_bomb_is_refused_before_it_grows(members: dict[str, bytes]) -> None:
    bomb = zip_members(members, compress=True)
    with pytest.raises(zipfile.BadZipFile, match="members would grow to"):
        unzip_members(bomb)


def test_a_zip_with_any_byte_damaged_is_a_zip_or_is_told(tmp_path: Path) -> None:
    sound = zip_members({"a.npy": b"1" * 50, "b": bytes(1000)}, compress=True)
    for at in range(len(sound)):
        for bits in (0xFF, 0x01, 0x80):
            spoilt = bytearray(sound)
            spoilt[at] ^= bits
            with contextlib.suppress(zipfile.BadZipFile):
                unzip_members(bytes(spoilt))


def npy(head: str, body: bytes = b"") -> bytes:
    return b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head.encode() + body


HEAD = "{{'descr': '{}', 'fortran_order': False, 'shape': {}}}"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY\1\0",
        npy(HEAD.format("|u1", "(10000000000000,)")),
        npy(HEAD.format("|u1", "(-1, -1)"), b"1"),
        npy(HEAD.format("|u1", "(2,)"), b"1"),
        npy(HEAD.format("|u1", f"({'1,' * 100})"), b"1"),
        npy(HEAD.format("<U0", "(1000000000000,)")),
        npy(HEAD.format("|O", "(1,)"), b"cos\nsystem\n"),
        npy("(" * 9000),
        npy("-" * 9000 + "1"),
        npy("[" * 60_000),
    ],
)
def test_an_array_whose_head_lies_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_npy(data)
    path = tmp_path / "golden.npz"
    path.write_bytes(zip_members({"images.npy": data}))
    with pytest.raises(EdgecnnError, match=r"golden\.npz is no \.npz of edgecnn"):
        read_npz(path)


def test_what_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
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
    assert len({hash_arrays(each) for each in [base, *others]}) == 5


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
