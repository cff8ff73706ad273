"""Sound model files and data sets, and how spoilt ones are packed again under a valid seal."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgecnn.modelfile import MEMBER
from edgecnn.seal import SEAL, seal, zip_members

NUMBERS = (0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)


@dataclass(frozen=True)
class Sound:
    """Sound files, to be spoilt."""

    tflite: bytes  # the flatbuffer alone
    onnx: bytes  # the ModelProto alone
    keras: bytes
    data: bytes  # a data set
    manifests: dict[str, dict[str, Any]]  # by format


@dataclass(frozen=True)
class Case:
    """A spoilt file and its name."""

    name: str
    data: bytes


def sound_files(folder: Path) -> Sound:
    """The files of a training on digits and its conversions."""
    from edgecnn.modelfile import read_model

    names = {"tflite": "model_int8.tflite", "onnx": "model_float32.onnx", "keras": "model.keras"}
    models = {kind: read_model(folder / name) for kind, name in names.items()}
    manifests = {kind: json.loads(model.manifest.to_json()) for kind, model in models.items()}
    payload = models["onnx"].data.index(MEMBER.encode()) - 3  # its key and length, before them the entry's
    while models["onnx"].data[payload] != 14 << 3 | 2:
        payload -= 1
    return Sound(
        tflite=models["tflite"].data[: models["tflite"].data.index(b"PK\x03\x04")],
        onnx=models["onnx"].data[:payload],
        keras=models["keras"].data,
        data=(folder / "validation.npz").read_bytes(),
        manifests=manifests,
    )


def packed(kind: str, payload: bytes, manifest: bytes) -> bytes:
    """A model file as edgecnn packs it, with any manifest."""
    from edgecnn.modelfile import _onnx_entry

    if kind == "onnx":
        return seal((payload + _onnx_entry(MEMBER, manifest) + _onnx_entry("sha256", b"0" * SEAL))[:-SEAL])
    return zip_members({MEMBER: manifest, "labels.txt": b"0"}, before=payload)


def model(sound: Sound, kind: str, payload: bytes | None = None) -> Case:
    """A model file whose seal and manifest are sound."""
    whole = payload if payload is not None else getattr(sound, kind)
    return Case(f"model.{kind}", packed(kind, whole, json.dumps(sound.manifests[kind]).encode()))
