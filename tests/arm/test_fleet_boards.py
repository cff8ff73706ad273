"""One command for six hosts on real SSH servers, two of which are Raspberry Pis, emulated. Run by `make test-arm`."""

import json
import subprocess
import sys
from pathlib import Path

import hosts
import pytest
from conftest import run

from benchmarks.boards import python_of
from workstation.boards import EMULATED

TRIED = ("pi4", "pi5")


def test_a_fleet_of_two_kinds(trained: Path, bundle: Path, tmp_path: Path) -> None:
    if reason := hosts.available():
        pytest.skip(reason)
    pi = tmp_path / "pi.bundle"
    words = ("deploy.bundle", trained / "model_int8.tflite", "--target", "pi4-bookworm", "--offline", "--images", 100)
    done = run(*words, "--output", pi)
    assert done.returncode == 0, done.stderr
    with hosts.fleet(tmp_path) as fleet:
        for name in TRIED:  # the script that starts a board's Python stands in for the board
            python = str(python_of(EMULATED[name]))
            fleet.add(name, edgecnn_python=python, edgecnn_starter=python)
        for number in range(4):
            fleet.add(f"desk{number}", edgecnn_python=sys.executable)
        words = ("deploy.fleet", fleet.inventory, "--bundle", pi, bundle, "--steps", "put,install,doctor,check")
        done = run(*words, "--output", tmp_path / "results", "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        found = {each["host"]: each for each in json.loads(done.stdout)}
        assert {name: each["state"] for name, each in found.items()} == dict.fromkeys(fleet.hosts, "changed")
        for name in TRIED:
            results = found[name]["results"]
            assert results["doctor"]["device"]["board"] == EMULATED[name].model
            (golden,) = results["check"]["golden"]
            assert (golden["engine"], golden["passed"], golden["changed"]) == ("litert", True, 0)
            assert results["check"]["checks"]["model_int8.tflite"]["verdict"] == "PASS"
            command = [fleet.home(name) / "edgecnn/current/edgecnn", "classify", "--json"]  # the guide's, on the board
            shown = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
            assert [answer["label"] for answer in json.loads(shown.stdout)] == ["3"], shown.stderr
