"""The measuring core counts what it should; how fast anything is, no test asserts."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from conftest import refused, run

from edgecnn.bench import SETTLE, Timing, measure
from edgecnn.engines import ENGINES


def test_contestants_take_turns_and_warm_ups_are_not_counted() -> None:
    order: list[str] = []
    found = measure(
        {"a": lambda _: order.append("a"), "b": lambda _: order.append("b")}, rounds=6, calls=10, warm_up=3, seed=1
    )
    assert Counter(order) == dict.fromkeys("ab", 3 + 6 * (SETTLE + 10))
    assert {name: len(timing.microseconds) for name, timing in found.items()} == {"a": 60, "b": 60}
    turns = order[6 :: SETTLE + 10]  # the first call of each turn
    assert all(sorted(turns[at : at + 2]) == ["a", "b"] for at in range(0, 12, 2))
    assert len({tuple(turns[at : at + 2]) for at in range(0, 12, 2)}) == 2  # in both orders


def test_a_timing_is_a_distribution() -> None:
    timing = Timing(np.arange(1.0, 102.0))
    assert timing.percentile(50) == 51
    assert timing.per_second == pytest.approx(1e6 / 51)
    assert timing.as_document() == {"calls": 101, "p50_us": 51, "p90_us": 91, "p99_us": 100, "per_second": 19607.8}


@pytest.mark.slow
def test_an_engine_that_cannot_run_a_file_is_left_out(trained: Path, tmp_path: Path) -> None:
    """tflite-runtime 2.14 does not load what today's converter makes of dynamic quantization."""
    path = tmp_path / "model.tflite"
    assert run("convert.tflite", trained / "model.keras", "--quantize", "dynamic", "--output", path).returncode == 0
    done = run("benchmarks.latency", path, "--rounds", 1, "--calls", 5, "--json")
    assert done.returncode == 0, done.stderr
    assert [row["engine"] for row in json.loads(done.stdout)["results"]] == ["litert"]
    if ENGINES["tflite"].installed:
        assert "left out" in done.stderr
        refused(run("benchmarks.latency", path, "--engine", "tflite"), "engines that may: litert")
