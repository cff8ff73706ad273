"""One command for many hosts, on real SSH servers: its results, its repetition, and faults of hosts."""

import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import hosts
import numpy as np
import pytest
from conftest import ROOT, heed_interrupts, refused, run
from hosts import Fleet, Kitchen

from edgecnn.errors import EdgecnnError
from edgecnn.unsure import UnsureFolder

pytestmark = pytest.mark.slow


GUIDE = (ROOT / "docs/first-raspberry-pi.md").read_text()


@pytest.fixture
def kitchen() -> Iterator[Kitchen]:
    if reason := hosts.available():
        pytest.skip(reason)
    python = subprocess.run(["/usr/bin/python3", "--version"], capture_output=True, text=True, check=False).stdout
    if "3.11." not in python:
        pytest.skip("the Python of this system is not that of the bundle")
    if "pi" in {line.partition(":")[0] for line in Path("/etc/passwd").read_text().splitlines()}:
        pytest.skip("there is a user pi on this machine already")
    with hosts.kitchen() as pi:
        yield pi


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    if reason := hosts.available():
        pytest.skip(reason)
    with hosts.fleet(tmp_path) as servers:
        yield servers


def deployed(fleet: Fleet, *words: object, status: int = 0) -> dict[str, dict[str, object]]:
    """Run the command on all hosts; returns the document of each by name."""
    done = run("deploy.fleet", fleet.inventory, *words, "--output", fleet.folder / "results", "--json")
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    return {host["host"]: host for host in json.loads(done.stdout)}


def test_all_hosts_get_it_and_a_second_run_changes_nothing(bundle: Path, fleet: Fleet) -> None:
    for name in ("kitchen", "garage"):
        fleet.add(name)
    words = ("--bundle", bundle, "--quick")
    documents = deployed(fleet, *words)
    for name, host in documents.items():
        assert (host["state"], host["step"], host["cause"]) == ("changed", "done", None)
        assert host["bytes_sent"] > bundle.stat().st_size
        results = host["results"]
        assert {engine["engine"]: engine["state"] for engine in results["doctor"]["engines"]}["litert"] == "works"
        assert all(golden["passed"] for golden in results["check"]["golden"])
        assert results["check"]["checks"]["model_int8.tflite"]["verdict"] == "PASS"
        assert results["tune"]["winner"]["model"] == "model_int8.tflite"
        assert results["bench"][0]["results"][0]["end_to_end"]["calls"] >= 500
        assert json.loads((fleet.folder / "results" / "hosts" / f"{name}.json").read_text()) == host
        assert (fleet.home(name) / "edgecnn/current/edgecnn").exists()
    card = (fleet.folder / "results" / "fleet.md").read_text()
    assert "fastest" in card
    assert "slowest" in card
    again = deployed(fleet, *words, "--steps", "put,install,check,tune")
    assert {host["state"] for host in again.values()} == {"unchanged"}
    assert all(host["bytes_sent"] < 100_000 for host in again.values())
    assert "nothing was changed" in (fleet.folder / "results" / "fleet.md").read_text()


def test_pictures_that_hosts_were_not_sure_of_come_home_once(fleet: Fleet) -> None:
    fleet.add("kitchen")
    fleet.add("garage")
    kept = UnsureFolder(fleet.home("kitchen") / "edgecnn/unsure", 10**6)
    pixels = np.arange(784, dtype=np.uint8).reshape(28, 28, 1)
    for label in ("7", "../8", "7"):
        kept.keep(pixels, {"label": "unknown", "top": {label: 0.5}})
    (fleet.home("kitchen") / "edgecnn/unsure/mine.png").write_bytes(b"mine")
    documents = deployed(fleet, "--steps", "collect")
    assert {name: host["results"]["collect"]["pictures"] for name, host in documents.items()} == {
        "kitchen": 3,
        "garage": 0,
    }
    home = fleet.folder / "results/unsure"
    assert sorted((path.parent.name, path.name[:8]) for path in home.rglob("*.png")) == [
        ("%2E.%2F8", "kitchen-"),
        ("7", "kitchen-"),
        ("7", "kitchen-"),
    ]
    assert [path.name for path in (fleet.home("kitchen") / "edgecnn/unsure").iterdir()] == ["mine.png"]
    assert {host["state"] for host in deployed(fleet, "--steps", "collect").values()} == {"unchanged"}


def guided(start: str) -> list[str]:
    """The guide's lines that begin with `start`, without their comments."""
    lines = [line.strip().partition("  #")[0].strip() for line in GUIDE.splitlines()]
    return [line for line in lines if line.startswith(start)]


def test_the_commands_of_the_guide_do_what_it_promises(bundle: Path, kitchen: Kitchen, tmp_path: Path) -> None:
    """For a fresh user without privileges; the bundle is for this machine, and bench is quick."""
    (visit,) = guided("ssh ")
    assert visit == "ssh pi@kitchen.local"
    assert kitchen.ssh("true").returncode == 0
    (line,) = guided("python -m deploy.fleet")
    words = line.replace("artifacts/mnist/mnist-pi4-bookworm.bundle", str(bundle)).split()[2:]
    desk = {"env": {"HOME": str(kitchen.desk)}}
    done = run(*words, "--quick", "--output", tmp_path / "results", **desk)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "pi@kitchen.local" in done.stdout
    document = json.loads((tmp_path / "results/hosts/pi@kitchen.local.json").read_text())
    assert (document["state"], document["step"]) == ("changed", "done")
    done = run(*words, "--steps", "put,install,check,tune", "--output", tmp_path / "results", **desk)
    assert "nothing was changed" in done.stdout
    assert kitchen.ssh("mkdir ~/pictures && cp ~/edgecnn/current/models/picture.png ~/pictures").returncode == 0
    for line in guided("~/edgecnn/current/edgecnn"):
        if " csi" in line:  # no camera is here; tests/test_camera.py has one
            continue
        command = f"{line} --frames 1" if " watch " in line else line
        done = kitchen.ssh(command)
        assert done.returncode == 0, (command, done.stderr)
        if " doctor" not in command:
            assert re.search(r"picture\.png.*\b3\b", done.stdout), (command, done.stdout)
    (python,) = re.findall(r"`(~/edgecnn/current/env/bin/python)`, then `(from edgecnn import Classifier)`", GUIDE)
    assert kitchen.ssh(f"cd / && {python[0]} -c '{python[1]}'").returncode == 0
    for name in (f"pi@127.0.0.1:{kitchen.port}", f"pi@[::1]:{kitchen.port}"):
        (host,) = json.loads(
            run("deploy.fleet", name, "--steps", "doctor", "--json", "--output", tmp_path, **desk).stdout
        )
        assert (host["host"], host["cause"]) == (name, None)


def test_hosts_are_named_as_ssh_names_them() -> None:
    from deploy.fleet_report import file_name
    from deploy.inventory import address

    for text, host, user, port in (
        ("kitchen.local", "kitchen.local", None, None),
        ("pi@kitchen.local:2222", "kitchen.local", "pi", 2222),
        ("me@corp@192.168.1.10", "192.168.1.10", "me@corp", None),
        ("::1", "::1", None, None),
        ("pi@fe80::1%eth0", "fe80::1%eth0", "pi", None),
        ("pi@[::1]:22", "::1", "pi", 22),
    ):
        expected = {"ssh_hostname": host, "ssh_user": user, "ssh_port": port}
        assert address(text) == {key: value for key, value in expected.items() if value is not None}
    for text in ("", "@kitchen", "pi@", "kitchen:", "kitchen:0", "kitchen:65536", "kitchen:ssh", "[kitchen]:22",
                 "::1::2", "[::1", "a b", "-oProxyCommand=x", "pi@a/b", "a\x1b[2J"):  # fmt: skip
        with pytest.raises(EdgecnnError, match="is no host"):
            address(text)
    with pytest.raises(EdgecnnError, match=r"host 'kitchen\.\.local' is no name of a machine"):
        address("pi@kitchen..local:22")
    names = [
        "192.168.1.10",
        "192.168.1.11",
        "a/b",
        "a_b",
        "a%2Fb",
        "..",
        ".",
        "fleet",
        "x" * 300,
        "x" * 301,
        "pi@[::1]:22",
    ]
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert not [name for name in files if "/" in name or name.startswith(".") or len(name) > 120]
    assert file_name("pi@kitchen.local,pi@garage.local") == "pi@kitchen.local,pi@garage.local"


def test_mistakes_in_an_inventory_get_a_line(tmp_path: Path) -> None:
    expected = {
        "hosts = [": "no inventory of pyinfra", "hosts = [nobody]": "NameError", "hosts = []": "names no host",
        "hosts = ['@local']": "not reached by SSH", "hosts = ['pi@:22']": "is no host",
    }  # fmt: skip
    paths = [tmp_path / f"boards{number}.py" for number in range(len(expected))]
    for path, text in zip(paths, expected, strict=True):
        path.write_text(text)
    inventories = [*map(str, paths), "a,b,a", "a,,b"]
    words = [sys.executable, ROOT / "tests/try_inventories.py", *inventories]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    problems = [*expected.values(), "'a' stands twice", "'' is no host"]
    for line, problem in zip(done.stdout.splitlines(), problems, strict=True):
        assert problem in line
    refused(run("deploy.fleet", paths[0], "--steps", "check"), "no inventory of pyinfra")
    refused(run("deploy.fleet", "a", "--steps", "check", "--signers", tmp_path / "none"), "none cannot be read")


def script(path: Path, text: str) -> Path:
    """A shell script that stands in for a host's Python."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_one_hosts_fault_is_reported_and_stops_no_other(bundle: Path, fleet: Fleet, tmp_path: Path) -> None:
    """A host that is down, refuses the key, is not known, has the wrong Python, a full disk, or hangs."""
    for name in ("well", "down"):
        fleet.add(name)
    fleet.add("refusing", known=False)
    fleet.add("stranger", ssh_known_hosts_file=str(tmp_path / "none"))
    fleet.add("old", edgecnn_python=str(script(tmp_path / "old.sh", f'{sys.executable} "$@" | sed s/3.11/3.9/')))
    fleet.add("locked", edgecnn_home="/dev/null/edgecnn")
    fleet.add(
        "fleet", edgecnn_home=f"~{pwd.getpwuid(os.getuid()).pw_name}/../{fleet.home('fleet').relative_to('/')}/edge's"
    )
    greeting = "echo Welcome; printf 'gr\\374\\337 dich\\n'; echo hello >&2\n"
    (fleet.home("fleet") / ".bashrc").write_text(greeting)
    fleet.add("mute")
    (fleet.home("mute") / ".bashrc").write_text("echo Under repair; exit 1\n")
    fleet.add("liar", edgecnn_python=str(script(tmp_path / "liar.sh", "echo '[1, 2]'")))
    fleet.add("odd", edgecnn_python=str(script(tmp_path / "odd.sh", "printf 'no \\033[2J[/bold] JSON'")))
    fleet.stop("down")
    documents = deployed(fleet, "--bundle", bundle, "--steps", "put,install,check", status=70)
    assert [documents[name]["state"] for name in ("well", "fleet")] == ["changed", "changed"]
    assert (fleet.home("fleet") / "edge's/current/edgecnn").exists()
    assert {path.stem for path in (fleet.folder / "results/hosts").iterdir()} == set(fleet.hosts)
    assert [host["host"] for host in json.loads((fleet.folder / "results/fleet.json").read_text())["hosts"]] == [
        *fleet.hosts
    ]
    assert "Traceback" in documents["liar"]["fault"]
    causes = {name: str(host["cause"]) for name, host in documents.items() if host["cause"]}
    for name, words in {
        "down": ("cannot be reached", "Unable to connect"),
        "refusing": ("refuses the key", "ssh-copy-id"),
        "stranger": ("host key is not known", "compare the fingerprint"),
        "old": ("no bundle is for Python 3.9",),
        "locked": ("/dev/null",),
        "mute": ("runs no commands", "Under repair"),
        "liar": ("a fault of edgecnn", "report it"),
        "odd": ("is no JSON", "no ", "JSON"),
    }.items():
        assert all(word in causes[name] for word in words), (name, causes[name])
    assert not [text for text in causes.values() if not text.isprintable()]
    fleet.start("down")
    fleet.hosts = {name: data for name, data in fleet.hosts.items() if name not in ("liar", "odd", "mute")}
    again = deployed(fleet, "--bundle", bundle, "--steps", "put,install,check", status=1)
    assert (again["well"]["state"], again["down"]["state"]) == ("unchanged", "changed")
    fleet.hosts = {"well": fleet.hosts["well"]}
    fleet.add("sleepy", edgecnn_python=str(script(tmp_path / "sleepy.sh", "sleep 600")))
    hung = deployed(fleet, "--steps", "doctor", "--timeout", 10, status=1)
    assert hung["well"]["cause"] is None
    assert hung["sleepy"]["cause"] == "no end after 10 s: --timeout allows more"
    words = [sys.executable, "-m", "deploy.fleet", fleet.inventory, "--steps", "doctor", "--output", tmp_path / "cut"]
    pipes = {"stderr": subprocess.PIPE, "text": True, "preexec_fn": heed_interrupts}
    with subprocess.Popen(words, cwd=ROOT, **pipes) as running:
        assert running.stderr
        while "well: done" not in running.stderr.readline():
            pass
        running.send_signal(signal.SIGINT)
        assert "interrupted" in running.stderr.read()
    states = {host["host"]: host["cause"] for host in json.loads((tmp_path / "cut/fleet.json").read_text())["hosts"]}
    assert (running.returncode, states) == (2, {"well": None, "sleepy": "interrupted"})


def test_a_host_that_dies_in_the_middle_keeps_its_version_and_the_next_run_repairs_it(
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
    command_line = [
        sys.executable,
        "-m",
        "deploy.fleet",
        fleet.inventory,
        *words,
        "--output",
        tmp_path / "out",
        "--json",
    ]
    with subprocess.Popen(
        list(map(str, command_line)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
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
    shed = deployed(fleet, *words)["shed"]
    assert (shed["state"], shed["results"]["install"]["version"]) == ("changed", "digits-newer")
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
        small = deployed(fleet, "--bundle", bundle, "--steps", "put,install", status=1)["small"]
        assert "is the disk full?" in small["cause"] or "make room" in small["cause"], (size, small)
        assert not list(home.glob("versions/*"))
        assert shutil.disk_usage(home).free > 0
    finally:
        subprocess.run(["umount", home], check=True)
    assert deployed(fleet, "--bundle", bundle, "--steps", "put,install")["small"]["state"] == "changed"
