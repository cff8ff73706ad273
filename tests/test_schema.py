"""The manifest lasts: a file of every schema version is read."""

import dataclasses
from pathlib import Path

import pytest

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
    assert manifest.rewrites == (() if version == 1 else ("crop", "patches"))


def test_this_version_is_as_it_was_committed() -> None:
    """A field that is added, renamed or dropped is a new version, with a fixture of its own."""
    from fixtures.make import FULL

    text = (FIXTURES / f"schema_{SCHEMA}.json").read_text()
    assert Manifest.from_json("it", text) == FULL
    assert FULL.to_json() + "\n" == text
    assert all(getattr(FULL, field.name) != field.default for field in dataclasses.fields(Manifest))
