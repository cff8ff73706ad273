"""Model files carry their manifest; whatever happens to them is reported, never guessed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn import Classifier, EdgecnnError
from edgecnn.manifest import SCHEMA, Manifest
from edgecnn.modelfile import MEMBER, pack_model, read_model

MODELS = ("model.keras", "model_int8.tflite", "model_float32.onnx", "model_int8.onnx")


@pytest.mark.parametrize("name", MODELS)
def test_the_manifest_travels_inside(trained: Path, name: str) -> None:
    manifest = read_model(trained / name).manifest
    assert manifest.labels == tuple("0123456789")
    assert manifest.training is not None
    assert (manifest.training.recipe, manifest.training.dataset) == ("tutorial", "digits")
    assert manifest.weights_sha256 == read_model(trained / "model.keras").manifest.weights_sha256
    assert Manifest.from_json(name, manifest.to_json()) == manifest


@pytest.mark.parametrize("name", MODELS)
def test_damage_is_always_reported(trained: Path, tmp_path: Path, name: str) -> None:
    """Bits flipped, ends cut and pages zeroed, anywhere: always an EdgecnnError."""
    sound = (trained / name).read_bytes()
    random = np.random.default_rng(0)
    spoiled = []
    for _ in range(30):
        at = int(random.integers(len(sound)))
        spoiled += [sound[:at], sound[:at] + bytes([sound[at] ^ 1 << random.integers(8)]) + sound[at + 1 :]]
        zeroed = sound[:at] + bytes(len(sound[at : at + 4096])) + sound[at + 4096 :]
        spoiled += [zeroed] if zeroed != sound else []
    for number in range(1, 200):  # the seal and what is around it
        spoiled.append(sound[:-number] + bytes([sound[-number] ^ 1]) + sound[len(sound) - number + 1 :])
    path = tmp_path / name
    for data in spoiled:
        path.write_bytes(data)
        with pytest.raises(EdgecnnError):
            read_model(path)


def test_a_file_of_other_tools_is_refused_with_the_cure(trained: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.tflite"
    foreign.write_bytes((trained / "model_int8.tflite").read_bytes().split(b"PK\x03\x04")[0])
    with pytest.raises(EdgecnnError, match=r"python -m convert\.adopt .*foreign\.tflite --labels"):
        Classifier(foreign)


def test_a_newer_schema_asks_for_an_update(trained: Path, tmp_path: Path) -> None:
    model = read_model(trained / "model_int8.tflite")
    newer = tmp_path / "newer.tflite"
    packed = pack_model(b"\0\0\0\0TFL3", model.manifest)
    text = model.manifest.to_json()
    document = json.loads(text) | {"schema": SCHEMA + 1, "something": "new"}
    from edgecnn.seal import zip_members

    assert packed.startswith(b"\0\0\0\0TFL3")
    newer.write_bytes(zip_members({MEMBER: json.dumps(document).encode()}, before=b"\0\0\0\0TFL3"))
    with pytest.raises(EdgecnnError, match=f"schema {SCHEMA + 1}, this one reads up to {SCHEMA}.*update edgecnn"):
        read_model(newer)


@pytest.mark.parametrize(
    "document",
    ["[]", "nothing", "{}", '{"schema": 1}', '{"schema": 1, "name": 3}', '{"schema": 1, "surplus": 3}'],
)
def test_a_document_that_is_no_manifest_is_refused(document: str) -> None:
    with pytest.raises(EdgecnnError, match="manifest that cannot be read"):
        Manifest.from_json("it", document)


def test_a_manifest_of_another_format_is_refused(trained: Path, tmp_path: Path) -> None:
    model = read_model(trained / "model_int8.tflite")
    wrong = tmp_path / "wrong.tflite"
    flatbuffer = model.data.split(b"PK\x03\x04")[0]
    wrong.write_bytes(pack_model(flatbuffer, replace(model.manifest, format="keras")))
    with pytest.raises(EdgecnnError, match="is tflite, but its manifest is of keras"):
        read_model(wrong)


@pytest.mark.parametrize("data", [b"", b"x", b"\x08", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(1000)])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(data)
    with pytest.raises(EdgecnnError, match="neither"):
        read_model(path)
