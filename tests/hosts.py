"""Hosts for tests: real SSH servers on loopback, each with a home of its own."""

import contextlib
import os
import shutil
import socket
import subprocess
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
        """Start a host; with a key that is known, or one that is refused, and further data for pyinfra."""
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
        words = [SSHD, "-D", "-f", self.home(name) / "sshd_config"]
        self.running[name] = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.hosts[name]["ssh_port"]), 1):
                return
            time.sleep(0.05)
        raise AssertionError(f"no SSH server for {name}")

    def stop(self, name: str) -> None:
        """The host goes down: its server ends, and every session of it."""
        server = self.running.pop(name)
        for child in _children(server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, 9)
        server.kill()
        server.wait()


def available() -> str:
    """Why no hosts can be started here; nothing where they can."""
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
    made = Fleet(folder)
    try:
        yield made
    finally:
        for name in list(made.running):
            made.stop(name)


def _free_port() -> int:
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return int(any_port.getsockname()[1])


def _children(pid: int) -> list[int]:
    """All processes below one, the deepest first."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(stat.parent.name)
                found += [*_children(child), child]
    return found
