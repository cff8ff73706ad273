"""Model files that describe themselves: the manifest and the seal inside `.keras`, `.tflite` and `.onnx`.

- `.keras` is a ZIP: the manifest is one more member.
- `.tflite` is a flatbuffer: a ZIP with the manifest and `labels.txt` is appended to it, as TFLite Metadata does.
- `.onnx` is a protobuf: a second serialised ModelProto, holding nothing but metadata_props, is appended to it, since
  protobuf merges what is concatenated. Source: protobuf encoding, "Last One Wins" and "Repeated Fields".

Every engine loads such a file as it is. The seal at the end (see `edgecnn.files`) is checked before an engine sees it.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.files import SEAL, check_seal, has_sealed_zip, read_file, seal, stored_member, zip_members
from edgecnn.manifest import Manifest

MEMBER = "edgecnn.json"
_ONNX_METADATA_PROPS = 14  # field number in ModelProto
_ONNX_SEAL_KEY = "sha256"


@dataclass(frozen=True)
class ModelFile:
    """A model file that was read and found sound: its bytes and what they say of themselves."""

    path: Path
    data: bytes
    manifest: Manifest


def read_model(path: Path | str) -> ModelFile:
    """Read a model file made by edgecnn, and check its seal.

    Raises:
        EdgecnnError: it is missing, damaged, no model, has no manifest, or comes from a newer edgecnn.
    """
    path = Path(path)
    data = read_file(path)
    manifest = find_manifest(str(path), data)
    if manifest is None:
        raise EdgecnnError(
            f"{path} has no manifest: it was cut short (copy it again) or was not made by edgecnn"
            f" (python -m convert.adopt {path} --labels … --pixel-scale …)"
        )
    return ModelFile(path, data, manifest)


def find_manifest(source: str, data: bytes) -> Manifest | None:
    """The manifest inside a model file's bytes; None where there is none.

    Raises:
        EdgecnnError: the file is damaged, no model, or comes from a newer edgecnn.
    """
    kind = model_format(source, data)
    text = _manifest_text(source, kind, data)
    if text is None:
        return None
    manifest = Manifest.from_json(source, text)
    if manifest.format != kind:
        raise EdgecnnError(f"{source} holds {kind}, but its manifest speaks of {manifest.format}: make the file again")
    return manifest


def newest_model(artifacts: Path = Path("artifacts")) -> Path:
    """The `model.keras` that training wrote last.

    Raises:
        EdgecnnError: there is none.
    """
    models = sorted(artifacts.glob("*/model.keras"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise EdgecnnError(f"no trained model in {artifacts}/: run python -m train, or name a .keras file")
    return models[-1]


def pack_model(payload: bytes, manifest: Manifest) -> bytes:
    """The bytes of a model file: `payload` as its converter wrote it, the manifest, the seal."""
    text = manifest.to_json().encode()
    if manifest.format == "onnx":
        begun = payload + _onnx_entry(MEMBER, text) + _onnx_entry(_ONNX_SEAL_KEY, b"0" * SEAL)
        return seal(begun[:-SEAL])
    members = {MEMBER: text}
    if manifest.format == "tflite":
        members["labels.txt"] = "\n".join(manifest.labels).encode()
    return zip_members(members, before=payload)


def model_format(source: str, data: bytes) -> str:
    """`keras`, `tflite` or `onnx`, by content: names are for people.

    Raises:
        EdgecnnError: `data` is none of these.
    """
    if data[4:8] == b"TFL3":
        return "tflite"
    if data[:4] == b"PK\x03\x04" and b"config.json" in data[:4096]:
        return "keras"
    if data[:1] == b"\x08" and _is_protobuf(data):  # ModelProto begins with its ir_version
        return "onnx"
    raise EdgecnnError(f"{source} is neither .tflite nor .onnx nor .keras, or it is damaged: name a model file")


def _manifest_text(source: str, kind: str, data: bytes) -> str | None:
    sealed_onnx = kind == "onnx" and data[-SEAL - len(_onnx_seal_head()) : -SEAL] == _onnx_seal_head()
    if not sealed_onnx and not (kind != "onnx" and has_sealed_zip(data)):
        return None
    check_seal(source, data)
    try:
        text = _onnx_entries(data).get(MEMBER) if sealed_onnx else stored_member(data, MEMBER)
    except struct.error as error:
        raise EdgecnnError(f"{source} is damaged ({error}): copy or make it again") from None
    return text.decode() if text is not None else None


# The few lines of protobuf that an .onnx needs. A field is a varint key (number << 3 | wire type) and its value.


def _varint(number: int) -> bytes:
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _onnx_entry(key: str, value: bytes) -> bytes:
    return _field(_ONNX_METADATA_PROPS, _field(1, key.encode()) + _field(2, value))


def _onnx_seal_head() -> bytes:
    return _onnx_entry(_ONNX_SEAL_KEY, b"0" * SEAL)[:-SEAL]


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > 63:
            raise ValueError("a varint of more than 64 bits")
    return value | data[at] << shift, at + 1


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and value of each length-delimited field; those of other wire types are passed over.

    Raises:
        ValueError, IndexError: `data` is no protobuf message.
    """
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        wire, number = key & 7, key >> 3
        if wire == 0:
            _, at = _read_varint(data, at)
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        elif wire == 2:
            size, at = _read_varint(data, at)
            at += size
            yield number, data[at - size : at]
        else:
            raise ValueError(f"wire type {wire}")
        if at > len(data):
            raise ValueError("a field reaches past the end")


def _is_protobuf(data: bytes) -> bool:
    try:
        return sum(1 for _ in _fields(data)) > 0
    except (ValueError, IndexError):
        return False


def _onnx_entries(data: bytes) -> dict[str, bytes]:
    pairs = (dict(_fields(value)) for number, value in _fields(data) if number == _ONNX_METADATA_PROPS)
    return {pair[1].decode(): pair[2] for pair in pairs if 1 in pair and 2 in pair}
