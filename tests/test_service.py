"""A unit file holds any word as it is, passes systemd's own checks, and is removed as it came.

systemd does not run here: what it is told is recorded by a stand-in for systemctl.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import refused

from edgecnn import EdgecnnError
from edgecnn.unit_file import MARK, Unit, plain_path, word

MOST_EXPOSED = {True: 2.5, False: 7.0}  # systemd-analyze security's scale to 10, of a unit of the system, of a user's
ODD = ["a b", "100%", "%h", 'say "hi"', "it's", "a\nb", "a\tb\x01", "$HOME", "${X}", ";", "back\\slash", "ü", "#x", ""]

SHOWN = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^\s"]+)')  # a word of a command line as systemd shows it

analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze (Debian: systemd)")


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for systemctl and loginctl: it notes its words in the file, and fails if a file `broken` is there."""
    notes = tmp_path / "notes"
    notes.touch()
    for name in ("systemctl", "loginctl"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && echo "systemd 252" && exit\necho {name} "$@" >>{notes}\n'
            f'[ -e {tmp_path}/broken ] && echo "Failed to connect to bus" >&2 && exit 1\n'
            'case "$*" in *show*) echo ActiveState=active; echo NRestarts=3;; esac\n'
        )
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return notes


def service(*words: object) -> "subprocess.CompletedProcess[str]":
    """The command, as a user who is not root."""
    code = "import os, sys; os.geteuid = lambda: 1000; from edgecnn.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "service", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(unit: Unit, folder: Path) -> Path:
    path = folder / f"{unit.name}.service"
    path.write_text(unit.text())
    return path


@analyze
def test_systemd_reads_every_word_as_it_was(tmp_path: Path) -> None:
    path = written(Unit("edgecnn-odd", [sys.executable, *ODD], tmp_path), tmp_path)
    environment = {**os.environ, "SYSTEMD_LOG_LEVEL": "debug"}
    words = ["systemd-analyze", "verify", "--man=no", str(path)]
    done = subprocess.run(words, capture_output=True, env=environment, check=False)
    line = re.search(rb"Command Line: (.*)\n", done.stdout)
    assert line, done.stderr
    shown = [unescaped(quoted or plain) for quoted, plain in SHOWN.findall(line[1])]
    assert shown[1:] == [text.replace("$", "$$") for text in ODD]  # the manager halves dollars when it starts it


def unescaped(shown: bytes) -> str:
    """A word as systemd shows it, without its escapes."""
    return re.sub(rb"\\([$`])", rb"\1", shown).decode("unicode_escape").encode("latin1").decode()


@analyze
@pytest.mark.parametrize("system", [True, False])
@pytest.mark.parametrize("user", [None, "root"])
def test_systemd_finds_nothing_wrong_and_little_exposed(tmp_path: Path, system: bool, user: str | None) -> None:
    unit = Unit("edgecnn-watch", [sys.executable, "-m", "edgecnn"], tmp_path, system, user, [tmp_path / "un sure%"])
    path = written(unit, tmp_path)
    manager = [] if system else ["--user"]
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
    words = ["systemd-analyze", *manager, "verify", "--man=no", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
    concerned = [line for line in done.stderr.splitlines() if "edgecnn" in line]
    assert not concerned
    words = ["systemd-analyze", "security", "--offline=true", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    level = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert level, done.stderr
    assert float(level[1]) <= MOST_EXPOSED[system] + (user == "root") * 0.5


def test_a_word_acts_nowhere() -> None:
    assert word('a"b%h$x\n\x01\\') == '"a\\"b%%h$$x\\n\\x01\\\\"'


@pytest.mark.parametrize("path", ["rel", "/a'b", '/a"b', "/a\nb", "/a\\b", "/a ", "/a\x7fb"])
def test_a_path_that_systemd_does_not_take_is_refused(path: str) -> None:
    with pytest.raises(EdgecnnError, match="systemd takes no path such as"):
        plain_path(Path(path))
    assert plain_path(Path("/a b/100%")) == "/a b/100%"


def test_it_waits_longer_after_each_failure_where_systemd_can() -> None:
    unit = Unit("x", ["/bin/true"], Path("/"), systemd=257)
    assert "RestartMaxDelaySec=300" in unit.text()
    assert "RestartSteps" not in Unit("x", ["/bin/true"], Path("/"), systemd=252).text()


def test_a_service_is_installed_shown_and_removed(systemctl: Path, tmp_path: Path) -> None:
    done = service("install", "--write", tmp_path / "kept", "watch", "csi", "--fps", 5)
    assert done.returncode == 0, done.stderr
    path = tmp_path / "config/systemd/user/edgecnn-watch.service"
    text = path.read_text()
    assert text.startswith(MARK)
    assert f'ExecStart="{sys.executable}" "-I" "-m" "edgecnn" "watch" "csi" "--fps" "5"\n' in text
    assert f'ReadWritePaths="{tmp_path / "kept"}"' in text
    assert (tmp_path / "kept").is_dir()
    assert "systemctl --user restart edgecnn-watch.service" in systemctl.read_text()
    assert "loginctl enable-linger" in systemctl.read_text()
    shown = service("status")
    assert (shown.returncode, "NRestarts             3" in shown.stdout) == (0, True)
    assert service("remove").returncode == 0
    assert not path.exists()
    assert "systemctl --user disable --now edgecnn-watch.service" in systemctl.read_text()


def test_a_server_is_a_service_too_and_writes_the_folder_that_its_options_name(systemctl: Path, tmp_path: Path) -> None:
    assert '"serve" "--port" "8001"' in service("install", "--print", "serve", "--port", 8001).stdout
    done = service("install", "--print", "watch", "csi", "--threshold", 0.9, "--keep-unsure", tmp_path / "unsure")
    assert f'ReadWritePaths="{tmp_path / "unsure"}"' in done.stdout
    assert "EnvironmentFile=-%E/edgecnn-watch.env" in done.stdout


def test_mistakes_leave_nothing_behind(systemctl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "config/systemd/user"
    for words, line in (
        (("install", "watch", "csi", "--bogus"), "--bogus"),
        (("install", "bench"), "bench ends by itself: only watch and serve"),
        (("install", "--name", "A b", "watch", "csi"), "is no name of a service"),
        (("status",), "holds no service of edgecnn"),
        (("remove", "--name", "edgecnn-x"), "holds no service edgecnn-x"),
    ):
        done = service(*words)
        assert (done.returncode, line in done.stderr) == (2, True), done.stderr
    (tmp_path / "broken").touch()
    done = service("install", "watch", "csi")
    assert done.returncode == 2
    assert "Failed to connect to bus" in done.stderr
    assert not list(folder.glob("*"))
    (folder / "edgecnn-watch.service").write_text("[Service]\nExecStart=/bin/mine\n")
    done = service("install", "--write", tmp_path / "new", "watch", "csi")
    assert "is not of edgecnn: give another --name" in done.stderr
    assert not (tmp_path / "new").exists()
    monkeypatch.setenv("SUDO_USER", "no\nUser=root")
    refused(service("install", "watch", "csi"), "SUDO_USER names no user of this machine: 'no\\nUser=root'")


def test_the_unit_of_a_bundle_follows_its_link(
    systemctl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = tmp_path / "home/versions/1"
    (version / "models").mkdir(parents=True)
    (version / "edgecnn").touch()
    (tmp_path / "home/current").symlink_to(version)
    monkeypatch.setenv("EDGECNN_MODEL", str(version / "models"))
    done = service("install", "--print", "watch", "csi")
    assert f'ExecStart="{tmp_path}/home/current/edgecnn" "watch" "csi"\n' in done.stdout, done.stderr
