"""What lies beside a model for the engine `native` is hostile until it is found sound."""

import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgecnn import Classifier, EdgecnnError
from edgecnn.engines import engines_of
from edgecnn.files import sha256
from edgecnn.modelfile import read_model
from edgecnn.native_description import description_file, source_hashes, target
from edgecnn.native_library import _load


@pytest.fixture
def beside(copied: Path) -> Path:
    """A model with a description of a library that is none."""
    model = copied / "model_int8.tflite"
    end = {"shape": [1, 10], "scale": 0.1, "zero_point": -128}
    (copied / "model_int8.so").write_bytes(b"no library")
    library = {"file": "model_int8.so", "sha256": sha256(b"no library")}
    document = {"schema": 1, "symbol": "model", "input": end, "output": end, "libraries": {target(): library}}
    description_file(model).write_text(json.dumps(document | source_hashes(read_model(model).manifest)))
    return model


Change = Callable[[dict[str, Any]], Any]
HOSTILE: dict[str, Change] = {
    "no symbol": lambda it: it.pop("symbol"),
    "a symbol that is none": lambda it: it.update(symbol="x y"),
    "a list of libraries": lambda it: it.update(libraries=[]),
    "no entry": lambda it: it["libraries"].update({target(): None}),
    "no file": lambda it: it["libraries"][target()].pop("file"),
    "a file elsewhere": lambda it: it["libraries"][target()].update(file="../../lib/libc.so"),
    "an absolute file": lambda it: it["libraries"][target()].update(file="/lib/libc.so"),
    "an endless shape": lambda it: it["input"].update(shape=[2**40]),
    "a shape of many axes": lambda it: it["input"].update(shape=[1] * 100),
    "a shape that is a text": lambda it: it["input"].update(shape="111"),
    "a scale that is NaN": lambda it: it["output"].update(scale=math.nan),
    "no zero point": lambda it: it["output"].pop("zero_point"),
    "a schema that is none": lambda it: it.update(schema="1"),
    "an end that is a list": lambda it: it.update(input=[1]),
    "an escape sequence": lambda it: it["libraries"].update({"\x1b[2J": it["libraries"][target()]}),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_description_is_one_line(beside: Path, kind: str) -> None:
    path = description_file(beside)
    document = json.loads(path.read_bytes())
    HOSTILE[kind](document)
    path.write_text(json.dumps(document))
    with pytest.raises(EdgecnnError, match=r"model_int8\.native\.json cannot be read \(.*build it again") as caught:
        Classifier(beside, "native")
    assert str(caught.value).isprintable()
    assert engines_of(beside, "tflite") == ["litert", "tflite"]


@pytest.mark.parametrize("text", ["", "[" * 100_000, '{"schema": 1e999}', "[]", "9" * 5000])
def test_a_description_that_is_no_json_is_one_line(beside: Path, text: str) -> None:
    description_file(beside).write_text(text)
    with pytest.raises(EdgecnnError, match=r"native\.json cannot be read"):
        Classifier(beside, "native")


def test_a_library_that_is_none_or_gone_or_another_is_one_line(beside: Path) -> None:
    assert engines_of(beside, "tflite") == ["litert", "tflite", "native"]
    with pytest.raises(EdgecnnError, match=r"model_int8\.so cannot be loaded here"):
        Classifier(beside, "native")
    library = beside.with_name("model_int8.so")
    library.write_bytes(b"another")
    with pytest.raises(EdgecnnError, match="is not the library that"):
        Classifier(beside, "native")
    library.unlink()
    with pytest.raises(EdgecnnError, match="No such file"):
        Classifier(beside, "native")


def test_each_library_is_its_own_though_none_is_loaded_by_its_path() -> None:
    """The linker knows a library by its path: two that come by one path would be one."""
    for name in ("_bisect", "_heapq"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        library = _load("model.so", Path(spec.origin).read_bytes())
        assert hasattr(library, f"PyInit_{name}")
        assert not hasattr(library, {"_bisect": "PyInit__heapq", "_heapq": "PyInit__bisect"}[name])
