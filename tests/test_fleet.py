"""One command for many hosts, on real SSH servers: what it brings back, that it is safe to repeat, what faults do."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hosts
import pytest
from conftest import ROOT, run
from hosts import Fleet

pytestmark = pytest.mark.slow


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    if reason := hosts.available():
        pytest.skip(reason)
    with hosts.fleet(tmp_path) as made:
        yield made


def deployed(fleet: Fleet, *words: object, status: int = 0) -> dict[str, dict[str, object]]:
    """Run the command on all hosts; what is told of each."""
    done = run("deploy.fleet", fleet.inventory, *words, "--output", fleet.folder / "results", "--json")
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return {each["host"]: each for each in json.loads(done.stdout)}


def test_all_hosts_get_it_and_a_second_run_changes_nothing(bundle: Path, fleet: Fleet) -> None:
    for name in ("kitchen", "garage"):
        fleet.add(name)
    words = ("--bundle", bundle, "--quick")
    found = deployed(fleet, *words)
    for name, each in found.items():
        assert (each["state"], each["step"], each["cause"]) == ("changed", "done", None)
        assert each["bytes_sent"] > bundle.stat().st_size
        results = each["results"]
        assert {engine["engine"]: engine["state"] for engine in results["doctor"]["engines"]}["litert"] == "works"
        assert all(golden["passed"] for golden in results["check"]["golden"])
        assert results["check"]["checks"]["model_int8.tflite"]["verdict"] == "PASS"
        assert results["tune"]["winner"]["model"] == "model_int8.tflite"
        assert results["bench"][0]["results"][0]["end_to_end"]["calls"] >= 500
        assert json.loads((fleet.folder / "results" / "hosts" / f"{name}.json").read_text()) == each
        assert (fleet.home(name) / "edgecnn/current/edgecnn").exists()
    card = (fleet.folder / "results" / "fleet.md").read_text()
    assert "fastest" in card
    assert "slowest" in card
    again = deployed(fleet, *words, "--steps", "put,install,check,tune")
    assert {each["state"] for each in again.values()} == {"unchanged"}
    assert all(each["bytes_sent"] < 100_000 for each in again.values())
    assert "nothing was changed" in (fleet.folder / "results" / "fleet.md").read_text()


def script(path: Path, text: str) -> Path:
    """A shell script that stands in for a host's Python."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_one_hosts_fault_is_told_and_stays_its_own(bundle: Path, fleet: Fleet, tmp_path: Path) -> None:
    """A host that is down, refuses the key, is not known, has the wrong Python, a full disk, or hangs."""
    for name in ("well", "down"):
        fleet.add(name)
    fleet.add("refusing", known=False)
    fleet.add("stranger", ssh_known_hosts_file=str(tmp_path / "none"))
    fleet.add("old", edgecnn_python=str(script(tmp_path / "old.sh", f'{sys.executable} "$@" | sed s/3.11/3.9/')))
    fleet.add("locked", edgecnn_home="/dev/null/edgecnn")
    fleet.stop("down")
    found = deployed(fleet, "--bundle", bundle, "--steps", "put,install,check", status=1)
    assert found["well"]["state"] == "changed"
    told = {name: str(each["cause"]) for name, each in found.items() if each["cause"]}
    for name, words in {
        "down": ("cannot be reached", "Unable to connect"),
        "refusing": ("refuses the key", "ssh-copy-id"),
        "stranger": ("host key is not known", "compare the fingerprint"),
        "old": ("no bundle is for Python 3.9",),
        "locked": ("/dev/null",),
    }.items():
        assert all(word in told[name] for word in words), (name, told[name])
    fleet.start("down")
    again = deployed(fleet, "--bundle", bundle, "--steps", "put,install,check", status=1)
    assert (again["well"]["state"], again["down"]["state"]) == ("unchanged", "changed")
    fleet.hosts = {"well": fleet.hosts["well"]}
    fleet.add("sleepy", edgecnn_python=str(script(tmp_path / "sleepy.sh", "sleep 600")))
    hung = deployed(fleet, "--steps", "doctor", "--timeout", 10, status=1)
    assert hung["well"]["cause"] is None
    assert hung["sleepy"]["cause"] == "no end after 10 s: --timeout allows more"


def test_a_host_that_dies_in_the_middle_keeps_what_worked_and_is_mended(
    bundle: Path,
    fleet: Fleet,
    tmp_path: Path,
) -> None:
    from test_bundle import Members, changed

    def newer(members: Members, index: dict[str, object]) -> None:
        index["version"] = "digits-newer"

    fleet.add("shed")
    first = deployed(fleet, "--bundle", bundle, "--steps", "put,install")["shed"]["results"]["install"]["version"]
    command = fleet.home("shed") / "edgecnn/current/edgecnn"
    words = ("--bundle", changed(bundle, tmp_path / "newer.bundle", newer), "--steps", "put,install,check")
    told = [sys.executable, "-m", "deploy.fleet", fleet.inventory, *words, "--output", tmp_path / "out", "--json"]
    with subprocess.Popen(list(map(str, told)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        while not (fleet.home("shed") / "edgecnn/versions/digits-newer/env").exists():
            assert running.poll() is None
            time.sleep(0.02)
        fleet.stop("shed")
        out, _ = running.communicate(timeout=120)
    assert running.returncode == 1
    (shed,) = json.loads(out)
    assert shed["step"] == "install"
    assert "connection broke" in shed["cause"] or "failed" in shed["cause"]
    assert subprocess.run([command, "--version"], check=False, capture_output=True).returncode == 0
    assert (fleet.home("shed") / "edgecnn/current").readlink().name == first
    fleet.start("shed")
    found = deployed(fleet, *words)["shed"]
    assert (found["state"], found["results"]["install"]["version"]) == ("changed", "digits-newer")
    back = deployed(fleet, "--rollback")["shed"]
    assert back["results"]["rollback"]["current"] == first
    assert (fleet.home("shed") / "edgecnn/current").readlink().name == first


def test_a_full_disk_leaves_the_version_that_worked(bundle: Path, fleet: Fleet) -> None:
    """A file system of a few MB, where mounting is allowed."""
    fleet.add("small")
    home = fleet.home("small") / "edgecnn"
    home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "none", home], check=False).returncode == 0
    if not mounted:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        size = f"{bundle.stat().st_size / 1e6:.0f} MB"
        found = deployed(fleet, "--bundle", bundle, "--steps", "put,install", status=1)["small"]
        assert "is the disk full?" in found["cause"] or "make room" in found["cause"], (size, found)
        assert not list(home.glob("versions/*"))
        assert shutil.disk_usage(home).free > 0
    finally:
        subprocess.run(["umount", home], check=True)
    assert deployed(fleet, "--bundle", bundle, "--steps", "put,install")["small"]["state"] == "changed"
