"""Files are whole or not there; damage is seen."""

import io
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.files import check_seal, has_sealed_zip, hash_arrays, stored_member, unzip_members, write_file, zip_members


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
