"""Damage of a sealed file is seen; a ZIP or an array that lies is refused."""

import contextlib
import io
import zipfile
from pathlib import Path

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.npz import load_npy, read_npz
from edgecnn.seal import check_seal, has_sealed_zip, stored_member, unzip_members, zip_members


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


@pytest.mark.parametrize("members", [{"a": bytes(400_000_000)}, {str(name): b"" for name in range(10_001)}])
def test_a_zip_bomb_is_refused_before_it_grows(members: dict[str, bytes]) -> None:
    bomb = zip_members(members, compress=True)
    with pytest.raises(zipfile.BadZipFile, match="members would grow to"):
        unzip_members(bomb)


def test_a_zip_with_any_byte_damaged_is_a_zip_or_is_refused(tmp_path: Path) -> None:
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
