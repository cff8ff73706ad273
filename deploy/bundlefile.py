"""Read a bundle: its seal, its signature, its index and the hash of every file are checked before anything is used.

A bundle is a ZIP that Python runs. Its members are stored uncompressed, its index has the SHA-256 of each, and its last
64 bytes are the SHA-256 of all bytes before them. A seal shows damage; a signature shows who made the bundle. A bundle
may come from anybody, so whatever is read is bounded first.
"""

# Python 3.7 reads this too, to say that it is too old.
import hashlib
import os
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Iterator, List, Optional

from deploy.index import INDEX, SIGNATURE, Index, InstallError, is_member, no_bundle, read_index
from deploy.signature import check_signature

_MOST_BYTES, _MOST_MEMBERS, _MOST_TEXT = 2_000_000_000, 1000, 1_000_000  # of the file; of the index and the directory
_SEAL = 64  # bytes: a SHA-256 in hexadecimal
_END = struct.Struct("<4s6xHL6x")  # of a ZIP: its mark, members, bytes of its directory
_CHUNK = 1 << 20


class Bundle:
    """A bundle that passed all checks.

    Attributes:
        path: its file.
        size: bytes.
        index: what it says of itself.
        signed: whether a signature was required, and is good.
    """

    def __init__(self, path: Path, size: int, index: Index, signed: bool) -> None:
        self.path, self.size, self.index, self.signed = path, size, index, signed

    @property
    def version(self) -> str:
        """What it is called on a device."""
        return str(self.index["version"])

    def extract(self, folder: Path) -> None:
        """Write its files below a folder, and compare each with the index once more.

        Raises:
            InstallError: the bundle was changed meanwhile.
        """
        with _opened(self.path) as file, zipfile.ZipFile(file) as archive:
            for name in [INDEX, *self.index["files"]]:
                place = folder / name
                place.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as member, place.open("wb") as copy:
                    digest = _hash(_chunks(member), copy)
                if digest != self.index["files"].get(name, digest):
                    raise InstallError("{} was changed while it was installed: copy it again".format(self.path))


def open_bundle(path: Path, signers: Optional[Path] = None) -> Bundle:
    """Read a bundle and check its seal, its index, the hash of every file, and its signature if `signers` exists.

    Args:
        path: its file.
        signers: an allowed_signers file of SSH.

    Raises:
        InstallError: one of these is wrong, or the file cannot be read.
    """
    required = signers if signers is not None and os.path.lexists(str(signers)) else None
    try:
        with _opened(path) as file:
            size = _check_file(path, file)
            _check_seal(path, file, size)
            with zipfile.ZipFile(file) as archive:
                index = _checked_index(path, archive, size, required)
    except OSError as error:
        raise InstallError("{} cannot be read: {}".format(path, error.strerror or error)) from None
    except (zipfile.BadZipFile, ValueError, LookupError, RuntimeError, EOFError, struct.error) as error:
        raise no_bundle(path, error) from None
    return Bundle(path, size, index, required is not None)


def _checked_index(path: Path, archive: zipfile.ZipFile, size: int, signers: Optional[Path]) -> Index:
    """The index of an archive whose signature, index and files are right."""
    members = _members(path, archive, size)
    text = _text(path, archive, INDEX)
    if signers is not None:
        check_signature(path, text, _text(path, archive, SIGNATURE) if SIGNATURE in members else None, signers)
    index = read_index(path, text)
    _check_members(path, archive, members, index)
    return index


def _opened(path: Path) -> BinaryIO:
    """A file to be read; opening a pipe without a writer does not wait for one."""
    return os.fdopen(os.open(str(path), os.O_RDONLY | os.O_NONBLOCK), "rb")


def _check_file(path: Path, file: BinaryIO) -> int:
    """The file's size in bytes; a device, a pipe and too large a file are refused."""
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode) or not _SEAL < status.st_size <= _MOST_BYTES:
        raise no_bundle(path, "it is no file of up to {:.0f} MB".format(_MOST_BYTES / 1e6))
    return status.st_size


def _check_seal(path: Path, file: BinaryIO, size: int) -> None:
    """Check the last 64 bytes, then the ZIP's end record before them."""
    digest = _hash(_chunks(file, size - _SEAL))
    if file.read() != digest.encode():
        raise InstallError("{} is damaged: its SHA-256 is not the one it ends with; copy it again".format(path))
    file.seek(max(0, size - _SEAL - _END.size - 20))
    tail = file.read()
    mark, count, listed = _END.unpack(tail[-_SEAL - _END.size : -_SEAL])
    if mark != b"PK\5\6" or b"PK\6\7" in tail[:20] or count > _MOST_MEMBERS or listed > _MOST_TEXT:
        raise no_bundle(path, "its directory is not a bundle's")
    file.seek(0)


def _members(path: Path, archive: zipfile.ZipFile, size: int) -> List[str]:
    """The names of the members: plain files, stored uncompressed, none twice, together no larger than the file."""
    members = archive.infolist()
    for member in members:
        kind = stat.S_IFMT(member.external_attr >> 16)
        stored = member.compress_type == zipfile.ZIP_STORED and member.file_size == member.compress_size
        if kind not in (0, stat.S_IFREG) or not stored or member.flag_bits & 1:
            raise no_bundle(path, "{!r} is not stored as a bundle's files are".format(member.filename))
    names = [member.filename for member in members]
    if len(set(names)) < len(names) or sum(member.file_size for member in members) > size:
        raise no_bundle(path, "its members overlap")
    return names


def _text(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_TEXT:
        raise no_bundle(path, "its {} is too long".format(name))
    return archive.read(name)


def _check_members(path: Path, archive: zipfile.ZipFile, members: List[str], index: Index) -> None:
    """Check that the files are those that the index lists, by name and by hash."""
    for name in members:
        if not is_member(name):
            raise InstallError("{} holds a file that leaves its folder: {!r}".format(path, name))
    if set(members) - {INDEX, SIGNATURE} != set(index["files"]):
        raise InstallError("{} does not hold the files that its index lists".format(path))
    for name, expected in index["files"].items():
        with archive.open(name) as member:
            if _hash(_chunks(member)) != expected:
                raise InstallError("{} is damaged: {} is not the file of its index".format(path, name))


def _chunks(file: Any, size: int = _MOST_BYTES) -> Iterator[bytes]:
    while size > 0:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            return
        size -= len(chunk)
        yield chunk


def _hash(chunks: Iterator[bytes], copy: Optional[BinaryIO] = None) -> str:
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
        if copy:
            copy.write(chunk)
    return digest.hexdigest()
