"""Model files that describe themselves: the manifest and the seal inside `.keras`, `.tflite` and `.onnx`.

- `.keras` is a ZIP: the manifest is one more member.
- `.tflite` is a flatbuffer: a ZIP with the manifest and `labels.txt` is appended to it, as TFLite Metadata does.
- `.onnx` is a protobuf: a second serialised ModelProto, holding nothing but metadata_props, is appended to it, since
  protobuf merges what is concatenated. Source: protobuf encoding, "Last One Wins" and "Repeated Fields".

Every engine loads such a file as it is. The seal at the end (see `edgecnn.seal`) is checked before an engine sees it.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgecnn import bounds
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.manifest import Manifest
from edgecnn.protobuf import field, fields, message
from edgecnn.seal import SEAL, check_seal, has_sealed_zip, seal, stored_member, zip_members

MEMBER = "edgecnn.json"
MOST = 2**31  # bytes: neither a flatbuffer nor a protobuf can be larger
_ONNX_METADATA_PROPS = 14  # field number in ModelProto
_ONNX_SEAL_KEY = "sha256"


@dataclass(frozen=True)
class ModelFile:
    """A model file whose seal and structure are sound: its bytes and its manifest."""

    path: Path
    data: bytes
    manifest: Manifest


def read_model(path: Path | str) -> ModelFile:
    """Read a model file made by edgecnn, and check its seal.

    Raises:
        EdgecnnError: it is missing, damaged, no model, has no manifest, or comes from a newer edgecnn.
    """
    path = Path(path)
    data = read_file(path, MOST)
    manifest = find_manifest(str(path), data)
    if manifest is None:
        raise EdgecnnError(
            f"{path} has no manifest: it was cut short (copy it again) or was not made by edgecnn"
            f" (python -m convert.adopt {path} --labels … --pixel-scale …)"
        )
    return ModelFile(path, data, manifest)


def find_manifest(source: str, data: bytes) -> Manifest | None:
    """The manifest inside a model file's bytes; None if it has none.

    Raises:
        EdgecnnError: the file is damaged, no model, or comes from a newer edgecnn.
    """
    kind = model_format(source, data)
    text = _manifest_text(source, kind, data)
    manifest = None if text is None else Manifest.from_json(source, text)
    if manifest and manifest.format != kind:
        raise EdgecnnError(f"{source} is {kind}, but its manifest is of {manifest.format}: make the file again")
    _check_structure(source, kind, data)
    return manifest


def _check_structure(source: str, kind: str, data: bytes) -> None:
    if kind == "tflite":
        from edgecnn.tflite_structure import check_tflite

        check_tflite(source, data)
    elif kind == "onnx":
        from edgecnn.onnx_structure import check_onnx

        check_onnx(source, data)


def newest_model(artifacts: Path = Path("artifacts")) -> Path:
    """The `model.keras` that training wrote last.

    Raises:
        EdgecnnError: there is none.
    """
    models = sorted(artifacts.glob("*/model.keras"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise EdgecnnError(f"no trained model in {artifacts}/: run python -m train, or name a .keras file")
    return models[-1]


def pack_model(payload: bytes, manifest: Manifest, others: Mapping[str, bytes] | None = None) -> bytes:
    """The bytes of a model file: `payload` as its converter wrote it, the manifest, the seal.

    `others` are members that stay in the ZIP of a `.tflite`, by their names.
    """
    text = manifest.to_json().encode()
    if manifest.format == "onnx":
        begun = payload + _onnx_entry(MEMBER, text) + _onnx_entry(_ONNX_SEAL_KEY, b"0" * SEAL)
        return seal(begun[:-SEAL])
    members = {**(others or {}), MEMBER: text}
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
        return text.decode() if text is not None else None
    except (struct.error, ValueError, IndexError) as error:
        raise EdgecnnError(f"{source} is damaged ({bounds.short(str(error))}): copy or make it again") from None


def _onnx_entry(key: str, value: bytes) -> bytes:
    return field(_ONNX_METADATA_PROPS, field(1, key.encode()) + field(2, value))


def _onnx_seal_head() -> bytes:
    return _onnx_entry(_ONNX_SEAL_KEY, b"0" * SEAL)[:-SEAL]


def _is_protobuf(data: bytes) -> bool:
    try:
        return sum(1 for _ in fields(data)) > 0
    except (ValueError, IndexError):
        return False


def _onnx_entries(data: bytes) -> dict[str, bytes]:
    """The metadata of an `.onnx`.

    Raises:
        ValueError, IndexError: an entry is none.
    """
    pairs = [dict(fields(message(value))) for number, value in fields(data) if number == _ONNX_METADATA_PROPS]
    return {
        str(message(pair[1]), "utf-8"): bytes(message(pair[2]))
        for pair in bounds.items(pairs, "the metadata")
        if 1 in pair and 2 in pair
    }
