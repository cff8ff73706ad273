"""Two thousand damaged model files: all are errors, none a crash, none a silent answer."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edgecnn import SHIPPED, Classifier, EdgecnnError
from edgecnn.dataset_reading import read_dataset
from edgecnn.modelfile import read_model
from edgecnn.seal import unzip_members, zip_members

EACH = 250  # of four kinds of damage, for two formats
PAGE = 4096


def cut(data: bytes, random: np.random.Generator) -> bytes:
    return data[: random.integers(0, len(data))]


def flipped(data: bytes, random: np.random.Generator) -> bytes:
    spoilt = bytearray(data)
    for at in random.integers(0, len(data), random.integers(1, 9)):
        spoilt[at] ^= 1 << random.integers(0, 8)
    return bytes(spoilt)


def flipped_near_an_end(data: bytes, random: np.random.Generator) -> bytes:
    """Where the format, the manifest and the seal are."""
    spoilt = bytearray(data)
    spoilt[random.integers(-200, 200)] ^= 1 << random.integers(0, 8)
    return bytes(spoilt)


def without_a_page(data: bytes, random: np.random.Generator) -> bytes:
    """As a card returns a file after the power failed while it was written."""
    spoilt = bytearray(data)
    for start in PAGE * random.integers(0, -(-len(data) // PAGE), random.integers(1, 5)):
        spoilt[start : start + PAGE] = bytes(len(spoilt[start : start + PAGE]))
    return bytes(spoilt)


KINDS = (cut, flipped, flipped_near_an_end, without_a_page)


def damaged(data: bytes) -> Iterator[bytes]:
    random = np.random.default_rng(0)
    for kind in KINDS:
        for _ in range(EACH):
            spoilt = kind(data, random)
            if spoilt != data:  # two flips of the same bit
                yield spoilt


@pytest.mark.parametrize("name", ["model_int8.tflite", "model_float32.onnx"])
def test_damage_is_seen_before_an_engine_sees_it(trained: Path, tmp_path: Path, name: str) -> None:
    path, tried = tmp_path / name, 0
    for spoilt in damaged((trained / name).read_bytes()):
        path.write_bytes(spoilt)
        with pytest.raises(EdgecnnError) as caught:
            Classifier(path)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
        tried += 1
    assert tried > len(KINDS) * EACH - 10


@pytest.mark.parametrize("content", [b"", b"\0" * 5000, b"no model", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"\x08\x08"])
def test_other_kinds_of_file_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(EdgecnnError, match=r"model\.tflite"):
        Classifier(path)


def test_a_sound_file_under_a_wrong_name_runs(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(SHIPPED.read_bytes())
    assert Classifier(path).engine in ("litert", "tflite")


SOURCE = {"dataset": "digits", "split": "validation", "trained_on": False, "weights_sha256": "0" * 64}


@pytest.mark.parametrize(
    "change", [{"split": 3}, {"trained_on": "x"}, {"dataset": "a\nb"}, {"x": 1}, {"dataset": None}]
)
def test_a_data_set_from_nowhere_is_refused(trained: Path, tmp_path: Path, change: dict[str, object]) -> None:
    members = unzip_members((trained / "validation.npz").read_bytes())
    path = tmp_path / "validation.npz"
    path.write_bytes(zip_members(members | {"dataset.json": json.dumps(SOURCE | change).encode()}))
    with pytest.raises(EdgecnnError, match=r"validation\.npz is not a data set of edgecnn"):
        read_dataset(path, read_model(trained / "model_int8.tflite").manifest)
