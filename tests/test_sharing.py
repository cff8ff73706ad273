"""A classifier shared: between threads, after a fork, over a stream; and answers that are not numbers."""

import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgecnn import SHIPPED, Classifier, EdgecnnError
from edgecnn.engines import packaged
from edgecnn.memory import memory_mb
from edgecnn.modelfile import pack_model, read_model

IMAGES = np.random.default_rng(0).integers(0, 256, (2000, 28, 28), np.uint8)
THREADS = 8
CASES = [
    (model, kind.name)
    for kind in packaged()
    if kind.installed
    for model in ("model_int8.tflite", "model_float32.onnx")
    if model.endswith(kind.format)
]


@pytest.mark.parametrize(("model", "engine"), CASES)
def test_threads_that_share_a_classifier_get_their_own_answers(trained: Path, model: str, engine: str) -> None:
    classifier = Classifier(trained / model, engine)
    serial = [classifier.predict(image).probabilities for image in IMAGES]
    begin = threading.Barrier(THREADS)

    def work(number: int) -> list[np.ndarray]:
        begin.wait()
        order = np.roll(np.arange(len(IMAGES)), 250 * number)  # every thread in its own order
        answers = {at: classifier.predict(IMAGES[at]).probabilities for at in order.tolist()}
        return [answers[at] for at in range(len(IMAGES))]

    with ThreadPoolExecutor(THREADS) as pool:
        for answers in pool.map(work, range(THREADS)):
            np.testing.assert_array_equal(answers, serial)


@pytest.mark.parametrize(("model", "engine"), CASES)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_child_after_a_fork_classifies(trained: Path, model: str, engine: str, threads: int) -> None:
    classifier = Classifier(trained / model, engine, threads)
    expected = [classifier.predict(image).index for image in IMAGES[:20]]
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if [classifier.predict(image).index for image in IMAGES[:20]] == expected else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [classifier.predict(image).index for image in IMAGES[:20]] == expected


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stream_is_answered_in_order_and_not_held(workers: int) -> None:
    classifier = Classifier()
    drawn = itertools.count()

    def stream() -> Iterator[np.ndarray]:
        while True:
            yield IMAGES[next(drawn) % len(IMAGES)]

    answers = classifier.predict_batch(stream(), workers)
    indices = [next(answers).index for _ in range(500)]
    assert indices == [classifier.predict(image).index for image in IMAGES[:500]]
    assert next(drawn) < 500 + 32 * 2 * (workers + 1)
    answers.close()


def test_a_wrong_image_in_a_stream_is_told() -> None:
    for workers in (1, 2):
        answers = Classifier().predict_batch([IMAGES[0], IMAGES[1, :5]], workers)
        with pytest.raises(EdgecnnError, match="the image is uint8 5x28"):
            list(answers)


def test_a_closed_classifier_says_so() -> None:
    with Classifier() as classifier:
        assert classifier.predict(IMAGES[0]).label in classifier.manifest.labels
    with pytest.raises(EdgecnnError, match="this classifier is closed"):
        classifier.predict(IMAGES[0])


def test_not_a_number_is_never_a_label(trained: Path) -> None:
    import onnx

    model = read_model(trained / "model_float32.onnx")
    graph = onnx.load_from_string(model.data)
    del graph.metadata_props[:]
    bias = next(tensor for tensor in graph.graph.initializer if list(tensor.dims) == [10])
    bias.raw_data = np.full(10, np.nan, np.float32).tobytes()
    data = pack_model(graph.SerializeToString(), model.manifest)
    with pytest.raises(EdgecnnError, match="not a number"):
        Classifier.of(replace(model, data=data)).predict(IMAGES[0])


@pytest.mark.slow
def test_memory_stays_as_it_is() -> None:
    """A tenth of the million that a release is tried with."""
    classifier = Classifier()
    images = itertools.cycle(IMAGES)
    for _ in range(20_000):
        classifier.predict(next(images))
    before = memory_mb()
    for _ in range(100_000):
        classifier.predict(next(images))
    after = memory_mb()
    assert before is not None
    assert after is not None
    assert after - before < 1


def test_the_shipped_model_is_small_and_says_what_it_is() -> None:
    manifest = read_model(SHIPPED).manifest
    assert (manifest.quantization, manifest.format) == ("int8", "tflite")
    assert manifest.training is not None
    assert manifest.training.dataset == "mnist"
    assert manifest.agreement is not None
    assert SHIPPED.stat().st_size < 120_000
