"""Two runs compared: a regression beyond the noise is found, noise is none, what cannot be compared is refused."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
from conftest import refused, run_here

from benchmarks.compare import FASTER, SAME, SLOWER, compare


def figure(p50: float, spread: float = 0.02) -> dict[str, Any]:
    return {"p50_us": p50, "spread": spread}


def a_run(**changed: Any) -> dict[str, Any]:
    result = {
        "model": "m.tflite", "engine": "litert", "threads": 1, "batch": 1, "verdict": "VALID", "reasons": [],
        "end_to_end": figure(24.0), "engine_call": figure(20.0),
    }  # fmt: skip
    device = {"board": None, "cpu": "Cortex-A76", "cores": 4, "machine": "aarch64"}
    return {
        "schema": 1, "kind": "latency", "device": device, "method": {"comparable": True}, "results": [result | changed]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "threshold", "verdict"),
    [
        (figure(24.0), figure(24.9), 0.05, SAME),  # within the threshold
        (figure(24.0), figure(26.0), 0.05, SLOWER),
        (figure(24.0), figure(22.0), 0.05, FASTER),
        (figure(24.0, 0.3), figure(26.0), 0.05, SAME),  # within the noise of the old run
        (figure(24.0), figure(24.9), 0.0, SLOWER),  # beyond the noise: half of 2 %, of both
        (figure(24.0), figure(24.3), 0.0, SAME),
    ],
)
def test_slower_is_what_is_beyond_noise_and_threshold(
    old: dict[str, Any], new: dict[str, Any], threshold: float, verdict: str
) -> None:
    first, second = compare(a_run(end_to_end=old), a_run(end_to_end=new))
    assert (first.figure, first.verdict(threshold)) == ("end to end", verdict)
    assert (second.figure, second.verdict(threshold)) == ("engine's call", SAME)


def test_results_are_paired_by_all_that_they_are_of() -> None:
    old, new = a_run(), a_run(threads=2)
    assert compare(old, new) == []
    new["results"].append(copy.deepcopy(old["results"][0]))
    assert [change.subject for change in compare(old, new)] == ["m.tflite on litert"] * 2


def test_the_command_says_it_and_refuses_what_is_not_honest(tmp_path: Path) -> None:
    def write(name: str, document: dict[str, Any]) -> Path:
        (tmp_path / name).write_text(json.dumps(document))
        return tmp_path / name

    old, slow = write("old.json", a_run()), write("slow.json", a_run(engine_call=figure(26.0)))
    done = run_here("benchmarks.compare", old, slow, "--json")
    assert done.returncode == 1, done.stderr
    assert [row["verdict"] for row in json.loads(done.stdout)] == [SAME, SLOWER]
    assert run_here("benchmarks.compare", old, old).returncode == 0
    other = a_run()
    other["device"]["cpu"] = "Cortex-A72"
    elsewhere = write("elsewhere.json", other)
    refused(run_here("benchmarks.compare", old, elsewhere), "Cortex-A76", "Cortex-A72", "--anyway")
    assert run_here("benchmarks.compare", old, elsewhere, "--anyway").returncode == 0
    invalid = write("invalid.json", a_run(verdict="INVALID", reasons=["throttled"]))
    refused(run_here("benchmarks.compare", old, invalid), "INVALID (throttled)")
    assert run_here("benchmarks.compare", old, invalid, "--anyway").stdout.count("same, INVALID") == 2
    hurried = a_run()
    hurried["method"]["comparable"] = False
    refused(run_here("benchmarks.compare", write("hurried.json", hurried), old), "in a hurry")
    refused(run_here("benchmarks.compare", old, write("none.json", {})), "is no run")
    headless = {key: a_run()[key] for key in ("schema", "kind")}
    refused(run_here("benchmarks.compare", old, write("headless.json", headless)), "is no whole run")
    refused(
        run_here("benchmarks.compare", write("nan.json", a_run(engine_call=figure(math.nan))), old), "a number is 'NaN'"
    )
    still = a_run(engine_call=figure(0.0))
    refused(run_here("benchmarks.compare", write("still.json", still), old), "is no whole run")
    refused(run_here("benchmarks.compare", old, write("newer.json", a_run() | {"schema": 9})), "schema 9")
    refused(run_here("benchmarks.compare", old, write("others.json", a_run(model="n.tflite"))), "in common")
