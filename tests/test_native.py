"""The library beside a model: its answers; and whatever lies there is hostile until it is checked."""

import importlib.util
import io
import json
import math
import os
import resource
import shutil
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgecnn import Classifier, EdgecnnError
from edgecnn.engines import engines_of
from edgecnn.files import sha256
from edgecnn.modelfile import pack_model, read_model
from edgecnn.native_description import SCHEMA, description_file, library_key, target
from edgecnn.native_library import _load


@pytest.fixture
def beside(copied: Path) -> Path:
    """A model with a description of a library that is none."""
    model = copied / "model_int8.tflite"
    end = {"shape": [1, 10], "scale": 0.1, "zero_point": -128}
    (copied / "model_int8.so").write_bytes(b"no library")
    library = {"file": "model_int8.so", "sha256": sha256(b"no library")}
    document = {"schema": SCHEMA, "symbol": "model", "input": end, "output": end, "libraries": {target(): library}}
    description_file(model).write_text(json.dumps(document | library_key(read_model(model).manifest)))
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


@pytest.mark.slow  # it compiles
def test_pixels_become_the_same_answer_within_the_library_and_outside(shipped_library: Path) -> None:
    """The library's own table and argmax, beside those of the other engines."""
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28, 1), np.uint8)
    images[0], images[1] = 0, 255
    with Classifier(shipped_library, "native") as classifier:
        inside = list(classifier.predict_batch(images))
        classifier._takes_pixels = False
        outside = list(classifier.predict_batch(images))
        for one, other in zip(inside, outside, strict=True):
            assert (one.index, one.label) == (other.index, other.label)
            np.testing.assert_array_equal(one.probabilities, other.probabilities)
        strided = np.repeat(images[:2], 2, axis=2)[:, :, ::2]
        classifier._takes_pixels = True
        assert [classifier.predict(image).index for image in strided] == [one.index for one in inside[:2]]
        assert [classifier.predict(image[..., 0]).index for image in images] == [one.index for one in inside]
        with pytest.raises(EdgecnnError, match="this model takes raw pixels: uint8 28x28x1"):
            classifier.predict(images[0].astype(np.int8))
    with pytest.raises(EdgecnnError, match="this classifier is closed"):
        classifier.predict(images[0])


@pytest.mark.slow  # it compiles
def test_threads_of_a_library_do_not_read_each_other(shipped_library: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (500, 28, 28, 1), np.uint8)
    with Classifier(shipped_library, "native") as classifier, ThreadPoolExecutor(8) as pool:
        alone = [classifier.predict(image).probabilities.tolist() for image in images]

        def work(first: int) -> list[list[float]]:
            return [classifier.predict(image).probabilities.tolist() for image in np.roll(images, first, axis=0)]

        for first, answers in zip(range(8), pool.map(work, range(8)), strict=True):
            assert answers == alone[-first:] + alone[:-first] if first else answers == alone


@pytest.mark.slow  # it compiles
def test_calls_with_threads_run_at_once_and_behind_a_fork(shipped_library: Path) -> None:
    images = np.random.default_rng(3).integers(0, 256, (200, 28, 28, 1), np.uint8)
    with Classifier(shipped_library, "native") as one:
        expected = [one.predict(image).index for image in images]
    with Classifier(shipped_library, "native", 2) as classifier, ThreadPoolExecutor(2) as pool:

        def work(_: int) -> list[int]:
            return [classifier.predict(image).index for image in images]

        assert list(pool.map(work, range(2))) == [expected, expected]
        if child := os.fork():
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        else:
            os._exit(work(0) != expected)


@pytest.mark.slow  # it compiles
def test_threads_that_have_one_cpu_between_them_do_not_wait_for_one_another(shipped_library: Path) -> None:
    """Else the CPU goes from one to the other several times in a call."""
    image, cpus = np.zeros((28, 28, 1), np.uint8), os.sched_getaffinity(0)
    with Classifier(shipped_library, "native", 2) as classifier:
        os.sched_setaffinity(0, {min(cpus)})  # of this thread, and of those that the first call starts
        try:
            for _ in range(100):  # it tries both ways
                classifier.predict(image)
            before = resource.getrusage(resource.RUSAGE_SELF)
            for _ in range(900):
                classifier.predict(image)
            after = resource.getrusage(resource.RUSAGE_SELF)
        finally:
            os.sched_setaffinity(0, cpus)
    assert (after.ru_nvcsw + after.ru_nivcsw) - (before.ru_nvcsw + before.ru_nivcsw) < 450


@pytest.mark.slow  # it compiles
def test_a_library_of_other_pixel_values_is_refused(shipped_library: Path, tmp_path: Path) -> None:
    """The same weights, but pixels become the input otherwise: the table inside the library would be wrong."""
    model = read_model(shipped_library)
    other = replace(model.manifest, input=replace(model.manifest.input, pixel_scale=(1 / 128,)))
    path = tmp_path / shipped_library.name
    flatbuffer = model.data[: zipfile.ZipFile(io.BytesIO(model.data)).infolist()[0].header_offset]
    path.write_bytes(pack_model(flatbuffer, other))
    for beside in (*shipped_library.parent.glob("*.so"), *shipped_library.parent.glob("*.json")):
        shutil.copy(beside, tmp_path)
    with pytest.raises(EdgecnnError, match="belongs to another model"):
        Classifier(path, "native")


def test_each_library_is_its_own_though_none_is_loaded_by_its_path() -> None:
    """The linker knows a library by its path: two that come by one path would be one."""
    for name in ("_bisect", "_heapq"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        library = _load("model.so", Path(spec.origin).read_bytes())
        assert hasattr(library, f"PyInit_{name}")
        assert not hasattr(library, {"_bisect": "PyInit__heapq", "_heapq": "PyInit__bisect"}[name])
