"""Hosts for tests: real SSH servers on loopback with homes of their own, and one with a fresh user `pi`."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SSHD = "/usr/sbin/sshd"
_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/{keys}
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
Subsystem sftp internal-sftp
MaxStartups 100
SetEnv HOME={home}
"""


@dataclass
class Fleet:
    """SSH servers and the inventory that names them."""

    folder: Path
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def inventory(self) -> Path:
        """A pyinfra inventory of all hosts, as they are now."""
        path = self.folder / "boards.py"
        path.write_text(f"boards = {list(self.hosts.items())!r}\n")
        return path

    def home(self, name: str) -> Path:
        """A host's home."""
        return self.folder / name

    def add(self, name: str, known: bool = True, **data: object) -> None:
        """Start a host, which refuses our key unless it is `known`; `data` are pyinfra's."""
        self.home(name).mkdir()
        port = _free_port()
        text = _CONFIG.format(port=port, folder=self.folder, home=self.home(name), keys="user.pub" if known else "none")
        (self.home(name) / "sshd_config").write_text(text)
        self.hosts[name] = {
            "ssh_hostname": "127.0.0.1", "ssh_port": port, "ssh_user": "root", "ssh_key": str(self.folder / "user"),
            "ssh_known_hosts_file": str(self.folder / "known_hosts"), "ssh_allow_agent": False,
            "ssh_look_for_keys": False, **data,
        }  # fmt: skip
        self.start(name)
        with (self.folder / "known_hosts").open("a") as file:
            file.write(f"[127.0.0.1]:{port} {(self.folder / 'host.pub').read_text()}")

    def start(self, name: str) -> None:
        """Start a host's server."""
        self.running[name] = _served(self.home(name) / "sshd_config", self.hosts[name]["ssh_port"])

    def stop(self, name: str) -> None:
        """The host goes down: its server ends, and every session of it."""
        _ended(self.running.pop(name))


def available() -> str:
    """Why no hosts can be started here; empty if they can."""
    if not (Path(SSHD).exists() and shutil.which("ssh-keygen")):
        return "needs Debian's openssh-server"
    return "" if os.geteuid() == 0 else "needs root: sshd starts sessions"


@contextlib.contextmanager
def fleet(folder: Path) -> Iterator[Fleet]:
    """An empty fleet; its servers end with it."""
    Path("/run/sshd").mkdir(exist_ok=True)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "none").write_text("")
    servers = Fleet(folder)
    try:
        yield servers
    finally:
        for name in list(servers.running):
            servers.stop(name)


@dataclass(frozen=True)
class Kitchen:
    """A stand-in for the Raspberry Pi of docs/first-raspberry-pi.md, and the workstation beside it."""

    desk: Path  # the home of the workstation's user, whose .ssh knows pi@kitchen.local
    port: int

    def ssh(self, words: str) -> "subprocess.CompletedProcess[str]":
        """Log in there, and run words in its shell."""
        command = ["ssh", "-F", self.desk / ".ssh/config", "pi@kitchen.local", words]
        return subprocess.run(command, capture_output=True, text=True, check=False)


_DESK = """\
Host kitchen.local
  HostName 127.0.0.1
  Port {port}
  IdentityFile {folder}/id_ed25519
  UserKnownHostsFile {folder}/known_hosts
"""


@contextlib.contextmanager
def kitchen() -> Iterator[Kitchen]:
    """A fresh user `pi` without privileges and a server that lets it in; both are removed at the end."""
    Path("/run/sshd").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder, port = Path(scratch), _free_port()
        folder.chmod(0o755)
        ssh = folder / "desk/.ssh"
        ssh.mkdir(parents=True)
        for path in (folder / "host", ssh / "id_ed25519"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
        shutil.copy(ssh / "id_ed25519.pub", folder / "user.pub")
        text = _CONFIG.format(port=port, folder=folder, home=folder / "pi", keys="user.pub")
        (folder / "sshd_config").write_text(f"{text}ListenAddress ::1\nAllowUsers pi\n")
        (ssh / "config").write_text(_DESK.format(port=port, folder=ssh))
        key = (folder / "host.pub").read_text()
        (ssh / "known_hosts").write_text(f"[127.0.0.1]:{port} {key}[::1]:{port} {key}")
        words = [
            "useradd",
            "--create-home",
            "--home-dir",
            folder / "pi",
            "--shell",
            "/bin/bash",
            "--password",
            "*",
            "pi",
        ]
        subprocess.run(words, check=True, capture_output=True)
        server = _served(folder / "sshd_config", port)
        try:
            yield Kitchen(folder / "desk", port)
        finally:
            _ended(server)
            subprocess.run(["userdel", "pi"], check=True, capture_output=True)


def _served(config: Path, port: int) -> "subprocess.Popen[bytes]":
    server = subprocess.Popen([SSHD, "-D", "-f", config], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return server
        time.sleep(0.05)
    raise AssertionError(f"no SSH server for {config}")


def _ended(server: "subprocess.Popen[bytes]") -> None:
    for child in _children(server.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, 9)
    server.kill()
    server.wait()


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def _children(pid: int) -> list[int]:
    """All processes below one, the deepest first."""
    pids: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(stat.parent.name)
                pids += [*_children(child), child]
    return pids
