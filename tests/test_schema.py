"""The manifest lasts: a file of every schema version is read."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecnn.errors import EdgecnnError
from edgecnn.manifest import SCHEMA, Manifest

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("version", range(1, SCHEMA + 1))
def test_every_version_is_read(version: int) -> None:
    manifest = Manifest.from_json("it", (FIXTURES / f"schema_{version}.json").read_text())
    assert (manifest.name, manifest.format, manifest.labels) == ("mnist", "tflite", ("zero", "one"))
    assert (manifest.input.pixel_scale, manifest.input.pixel_offset) == ((0.5,), (-1.0,))
    assert manifest.training is not None
    assert manifest.training.accuracy == {"evaluation": 0.99}
    assert manifest.baseline is not None
    assert manifest.agreement is not None
    assert (manifest.baseline.max_drop, manifest.agreement.lost) == (0.005, 60)
    assert manifest.training.teacher_seeds == (() if version < 3 else (0, 1))
    assert (manifest.reported is None) == (version < 3)
    assert (manifest.rejection is None) == (version < 6)
    assert manifest.rewrites == (() if version == 1 else ("crop", "patches"))


def test_this_version_is_as_it_was_committed() -> None:
    """A field that is added, renamed or dropped is a new version, with a fixture of its own."""
    from fixtures.make import FULL

    text = (FIXTURES / f"schema_{SCHEMA}.json").read_text()
    assert Manifest.from_json("it", text) == FULL
    assert FULL.to_json() + "\n" == text
    assert all(getattr(FULL, field.name) != field.default for field in dataclasses.fields(Manifest))


def test_what_nobody_read_of_a_frame_is_gone_from_what_is_written() -> None:
    old = Manifest.from_json("it", (FIXTURES / "schema_3.json").read_text())
    assert json.loads(old.to_json())["input"]["frame"] == {"box": 20}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else []


LONG = 987654321  # stands for a number of five thousand digits, which json refuses to write
Change = Callable[[dict[str, Any]], Any]
# What is wrong, a word of the line that says so, and the change that makes it wrong.
HOSTILE: dict[str, tuple[str, Change]] = {
    "too many labels": ("10,001 items", lambda it: it.update(labels=["x"] * 10_001)),
    "no labels": ("no labels", lambda it: it.update(labels=[])),
    "a long label": ("257 characters", lambda it: it.update(labels=["x" * 257])),
    "labels in one text": ("not of type", lambda it: it.update(labels="0123456789")),
    "an escape sequence": ("control characters", lambda it: it.update(name="\x1b]0;owned\a")),
    "a newline": ("control characters", lambda it: it.update(name="x\n#include <stdlib.h>")),
    "text turned around": ("control characters", lambda it: it.update(labels=["\u202egpj.exe"])),
    "half a surrogate": ("not UTF-8", lambda it: it.update(labels=["\ud800"])),
    "a hash that is none": ("no SHA-256", lambda it: it.update(weights_sha256="../../etc/passwd")),
    "an unknown format": ("not one of keras", lambda it: it.update(format="exe")),
    "an unknown output": ("not one of prob", lambda it: it.update(output="x")),
    "an unknown layout": ("not one of NHWC", lambda it: it["input"].update(layout="HWCN")),
    "two axes": ("2 axes", lambda it: it["input"].update(shape=[28, 28])),
    "a side of nothing": ("from 1 to", lambda it: it["input"].update(shape=[0, 28, 1])),
    "a side below nothing": ("of 0 or more", lambda it: it["input"].update(shape=[-1, 28, 1])),
    "an endless side": ("from 1 to", lambda it: it["input"].update(shape=[28, 2**40, 1])),
    "an endless image": ("number of values", lambda it: it["input"].update(shape=[30_000, 30_000, 3])),
    "NaN": ("a number is", lambda it: it["input"].update(pixel_scale=[float("nan")])),
    "infinity": ("a number is", lambda it: it["input"].update(pixel_offset=[float("-inf")])),
    "an endless factor": ("not a number from", lambda it: it["input"].update(pixel_scale=[1e30])),
    "a factor of nothing": ("factor is 0", lambda it: it["input"].update(pixel_scale=[0.0])),
    "three factors for one channel": ("3 factors", lambda it: it["input"].update(pixel_scale=[1.0] * 3)),
    "a box beyond the image": ("box is", lambda it: it["input"]["frame"].update(box=29)),
    "an accuracy above 1": ("a share is", lambda it: it["baseline"].update(accuracy=2.0)),
    "a drop that is NaN": ("a number is", lambda it: it["baseline"].update(max_drop=float("nan"))),
    "no images": ("images is 0", lambda it: it["agreement"].update(images=0)),
    "more flips than images": ("flips is", lambda it: it["agreement"].update(lost=10**6)),
    "a threshold above 1": ("a share is", lambda it: it["rejection"].update(threshold=1.5)),
    "a threshold that is NaN": ("a number is", lambda it: it["rejection"].update(threshold=float("nan"))),
    "a temperature of nothing": ("temperature is", lambda it: it["rejection"].update(temperature=0.0)),
    "an endless temperature": ("a number is", lambda it: it["rejection"].update(temperature=float("inf"))),
    "a negative temperature": ("temperature is", lambda it: it["rejection"].update(temperature=-1.5)),
    "a floor of nothing": ("floor is", lambda it: it["rejection"].update(floor=0.0)),
    "a reference of other labels": ("not 2", lambda it: it["reference"].update(labels=[1.0])),
    "shares that are no whole": ("the sum of shares", lambda it: it["reference"].update(labels=[0.1, 0.1])),
    "edges that fall": ("not rising", lambda it: it["reference"]["detail"].update(edges=[1, 0], shares=[1, 0, 0])),
    "an edge that is NaN": ("a number is", lambda it: it["reference"]["detail"].update(edges=[float("nan")])),
    "a threshold for several labels": ("none of the labels", lambda it: it.update(output="sigmoids")),
    "an endless number": ("5,000 digits", lambda it: it["training"].update(seed=LONG)),
    "a text for a number": ("not of type", lambda it: it["training"].update(epochs="5")),
    "a truth for a number": ("not of type", lambda it: it["training"].update(epochs=True)),
    "endless tools": ("items", lambda it: it.update(tools={str(i): "1" for i in range(10_001)})),
    "a deep nest": ("cannot be read", lambda it: it.update(rewrites=nested(900))),
    "a field of no version": ("no field", lambda it: it.update({"x" * 1000: 1})),
    "a list for a field": ("cannot be read", lambda it: it.update(input=[])),
    "a schema that is a text": ("schema is", lambda it: it.update(schema="3")),
    "a schema below 1": ("schema is", lambda it: it.update(schema=0)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_manifest_is_one_short_line(kind: str) -> None:
    word, change = HOSTILE[kind]
    document = json.loads((FIXTURES / f"schema_{SCHEMA}.json").read_text())
    change(document)
    with pytest.raises(EdgecnnError, match=word) as caught:
        Manifest.from_json("it", json.dumps(document).replace(str(LONG), "9" * 5000))
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


def test_a_text_of_brackets_is_no_manifest() -> None:
    with pytest.raises(EdgecnnError, match="nests too deep"):
        Manifest.from_json("it", "[" * 200_000)


def test_what_could_not_be_read_is_not_written() -> None:
    from fixtures.make import FULL

    with pytest.raises(EdgecnnError, match="control characters"):
        dataclasses.replace(FULL, labels=("a\nb",))
