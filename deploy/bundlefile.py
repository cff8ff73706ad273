"""Read a bundle: nothing in it is believed before its seal, its signature, its index and its hashes are found right.

A bundle is a ZIP that Python runs. Its members are stored as they are, its index has the SHA-256 of each, its last 64
bytes are the SHA-256 of all bytes before them. A seal finds damage; a signature says who made it (ssh-keygen(1),
ALLOWED SIGNERS). What is read is bounded first: a bundle may come from anybody.
"""

# Python 3.7 reads this too, to say that it is too old.
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterator, List, Optional

SCHEMA = 1
INDEX, SIGNATURE = "index.json", "index.json.sig"
NAMESPACE = "edgecnn-bundle"  # of signatures
PROGRAM, PACKAGE, MODELS, WHEELS = "__main__.py", "deploy", "models", "wheels"  # what lies in a bundle
_MOST_BYTES, _MOST_MEMBERS, _MOST_TEXT = 2_000_000_000, 1000, 1_000_000  # of the file; of the index and the directory
_MOST_WORD = 200  # characters of a text, and bytes of a file's name
_SEAL = 64  # bytes: a SHA-256 in hexadecimal
_END = struct.Struct("<4s6xHL6x")  # of a ZIP: its mark, members, bytes of its directory
_CHUNK = 1 << 20
_KINDS = {
    "schema": int, "name": str, "version": str, "target": str, "device": dict, "engines": list, "models": list,
    "offline": bool, "system_site_packages": bool, "unpacked": int, "files": dict,
}  # fmt: skip
_MORE = {"made": int, "expires": str, "needs": dict, "labelled": bool}  # an index may hold these too

Said = Dict[str, Any]


class InstallError(Exception):
    """What the user can mend, in one line."""


class Bundle:
    """A bundle that was found right.

    Attributes:
        path: its file.
        size: bytes.
        index: what it says of itself.
        signed: whether a signature was asked for, and is good.
    """

    def __init__(self, path: Path, size: int, index: Said, signed: bool) -> None:
        self.path, self.size, self.index, self.signed = path, size, index, signed

    @property
    def version(self) -> str:
        """What it is called on a device."""
        return str(self.index["version"])

    def extract(self, folder: Path) -> None:
        """Write its files below a folder; each is compared with the index once more as it is written.

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
    """Read a bundle and check it: its seal, its signature where `signers` is there, its index, the hash of every file.

    Raises:
        InstallError: one of these is wrong, or it cannot be read.
    """
    signed = signers is not None and os.path.lexists(str(signers))
    try:
        with _opened(path) as file:
            size = _check_file(path, file)
            _check_seal(path, file, size)
            with zipfile.ZipFile(file) as archive:
                members = _members(path, archive, size)
                text = _text(path, archive, INDEX)
                if signed:
                    signature = _text(path, archive, SIGNATURE) if SIGNATURE in members else None
                    _check_signature(path, text, signature, str(signers))
                index = read_index(path, text)
                _check_members(path, archive, members, index)
    except OSError as error:
        raise InstallError("{} cannot be read: {}".format(path, error.strerror or error)) from None
    except (zipfile.BadZipFile, ValueError, LookupError, RuntimeError, EOFError, struct.error) as error:
        raise _none(path, error) from None
    return Bundle(path, size, index, signed)


def _none(path: Path, why: object) -> InstallError:
    return InstallError("{} is no bundle of edgecnn ({}): python -m deploy.bundle makes one".format(path, why))


def _opened(path: Path) -> BinaryIO:
    """A file to be read; a pipe without a writer is not waited for."""
    return os.fdopen(os.open(str(path), os.O_RDONLY | os.O_NONBLOCK), "rb")


def _check_file(path: Path, file: BinaryIO) -> int:
    """Its size; a device or a pipe has no end, and too large a file is no bundle."""
    found = os.fstat(file.fileno())
    if not stat.S_ISREG(found.st_mode) or not _SEAL < found.st_size <= _MOST_BYTES:
        raise _none(path, "it is no file of up to {:.0f} MB".format(_MOST_BYTES / 1e6))
    return found.st_size


def _check_seal(path: Path, file: BinaryIO, size: int) -> None:
    digest = _hash(_chunks(file, size - _SEAL))
    if file.read() != digest.encode():
        raise InstallError("{} is damaged: its SHA-256 is not the one it ends with; copy it again".format(path))
    file.seek(max(0, size - _SEAL - _END.size - 20))
    tail = file.read()
    mark, count, listed = _END.unpack(tail[-_SEAL - _END.size : -_SEAL])
    if mark != b"PK\5\6" or b"PK\6\7" in tail[:20] or count > _MOST_MEMBERS or listed > _MOST_TEXT:
        raise _none(path, "its directory is not a bundle's")
    file.seek(0)


def _members(path: Path, archive: zipfile.ZipFile, size: int) -> List[str]:
    """The names in it: each once, plain files, stored as they are, and no larger together than the file."""
    members = archive.infolist()
    for each in members:
        kind = stat.S_IFMT(each.external_attr >> 16)
        stored = each.compress_type == zipfile.ZIP_STORED and each.file_size == each.compress_size
        if kind not in (0, stat.S_IFREG) or not stored or each.flag_bits & 1:
            raise _none(path, "{!r} is not stored as a bundle's files are".format(each.filename))
    names = [each.filename for each in members]
    if len(set(names)) < len(names) or sum(each.file_size for each in members) > size:
        raise _none(path, "its members overlap")
    return names


def _text(path: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_TEXT:
        raise _none(path, "its {} is too long".format(name))
    return archive.read(name)


def read_index(path: Path, text: bytes) -> Said:
    """An index, of the types and within the bounds that whoever reads it relies on.

    Raises:
        InstallError: it is not.
    """
    try:
        index = json.loads(text.decode())
        kinds = dict(_KINDS, **{name: kind for name, kind in _MORE.items() if name in index})
        wrong = [name for name, kind in kinds.items() if type(index[name]) is not kind]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _none(path, "its index cannot be read: {!r}".format(error)[:200]) from None
    if wrong or set(index) - set(kinds):
        raise _none(path, "its index has a wrong {}".format(", ".join(map(repr, wrong or set(index) - set(kinds)))))
    if index["schema"] != SCHEMA:
        raise InstallError("{} is of schema {}, {} wanted: update edgecnn".format(path, index["schema"], SCHEMA))
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", index["version"]):
        raise InstallError("{} names a version that is no folder's name: {!r}".format(path, index["version"]))
    if not _is_sound(index):
        raise _none(path, "its index contradicts itself")
    return index  # type: ignore[no-any-return]


def _is_sound(index: Said) -> bool:
    texts = [*index["engines"], *index["models"], *index["files"].values(), *index["device"].values()]
    texts += [index["name"], index["target"], *index.get("needs", {}).values()]
    files = {"{}/{}".format(MODELS, name) for name in index["models"] if type(name) is str}
    return (
        all(type(text) is str and text.isprintable() and len(text) <= _MOST_WORD for text in texts)
        and set(index["device"]) == {"python", "machine"}
        and 0 < len(index["models"]) == len(files)
        and files <= set(index["files"])
        and 0 <= index["unpacked"] < 10**18
        and re.fullmatch(r"\d{4}-\d\d-\d\d", index.get("expires", "2000-01-01")) is not None
        and 0 <= index.get("made", 0) < 10**10
        and all(re.fullmatch("[A-Za-z0-9_]+", module) for module in index.get("needs", {}))
    )


def _check_members(path: Path, archive: zipfile.ZipFile, members: List[str], index: Said) -> None:
    """Whether the files are those that the index lists, by name and by hash."""
    for name in members:
        folder, _, last = name.rpartition("/")
        ours = name in (INDEX, SIGNATURE, PROGRAM) or (folder in (PACKAGE, MODELS, WHEELS) and is_plain(last))
        if not ours:
            raise InstallError("{} holds a file that leaves its folder: {!r}".format(path, name))
    if set(members) - {INDEX, SIGNATURE} != set(index["files"]):
        raise InstallError("{} does not hold the files that its index lists".format(path))
    for name, expected in index["files"].items():
        with archive.open(name) as member:
            if _hash(_chunks(member)) != expected:
                raise InstallError("{} is damaged: {} is not the file of its index".format(path, name))


def is_plain(name: str) -> bool:
    """Whether a text is a file's name and nothing else: in no other folder, not hidden, of printable characters."""
    plain = name.isprintable() and not set(name) & set("/\\:") and not name.startswith((".", "-"))
    return plain and 0 < len(name.encode("utf-8", "replace")) <= _MOST_WORD


def _check_signature(path: Path, text: bytes, signature: Optional[bytes], signers: str) -> None:
    if signature is None:
        raise InstallError("{} is not signed, and {} asks for a signature".format(path, signers))
    if not shutil.which("ssh-keygen"):
        raise InstallError("ssh-keygen is missing, which checks signatures: apt-get install openssh-client")
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, SIGNATURE)
        Path(file).write_bytes(signature)
        find = ["ssh-keygen", "-Y", "find-principals", "-f", signers, "-s", file]
        named = subprocess.run(find, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
        who = named.splitlines()[0] if named else ""
        verify = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", who, "-n", NAMESPACE, "-s", file]
        out = subprocess.DEVNULL
        if not who or subprocess.run(verify, input=text, stdout=out, stderr=out, check=False).returncode:
            raise InstallError("{} is not signed by anyone whom {} names".format(path, signers))


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
