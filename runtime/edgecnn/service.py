"""The command `edgecnn service`: keeps `edgecnn watch` or `edgecnn serve` running, from boot on, by systemd.

As root it is a service of the system, else one of the user, which `loginctl enable-linger` lets run without a login.
"""

import argparse
import getpass
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from edgecnn import bounds
from edgecnn.cli import parsed
from edgecnn.command import OK, print_json
from edgecnn.errors import EdgecnnError, warn
from edgecnn.files import read_file, write_file
from edgecnn.programs import run_program
from edgecnn.unit_file import MARK, Unit

SYSTEM_UNITS = Path("/etc/systemd/system")
_LASTING = ("watch", "serve")  # commands that do not end by themselves
_MOST = 2**20  # bytes of a unit file
_WRITTEN = ("keep_unsure",)  # options of the commands that name a folder to write


def install(options: argparse.Namespace) -> int:
    """The command `edgecnn service install`."""
    unit = _unit(options)
    text = unit.text()
    if options.print:
        print(text, end="")
        return OK
    path = _folder() / f"{unit.name}.service"
    before = _text(path) if path.exists() else None
    if before is not None and MARK not in before:
        raise EdgecnnError(f"{path} is not of edgecnn: give another --name")
    for folder in unit.writable:
        _make(folder, unit.user)
    write_file(path, text.encode())
    try:
        _start(unit.name)
    except EdgecnnError:
        _restore(path, before)
        raise
    return _print(options, {"service": unit.name, "unit": str(path)}, f"{unit.name} runs now and from boot on: {path}")


def _make(folder: Path, user: str | None) -> None:
    """Make a folder that the service may write: systemd wants it to be there, and its user to own it."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        if user:
            shutil.chown(folder, user)


def _unit(options: argparse.Namespace) -> Unit:
    command = parsed(options.words)  # a mistake is found now, not at the next boot
    named = [getattr(command, name, None) for name in _WRITTEN]
    writable = [Path(folder).absolute() for folder in filter(None, [*options.write, *named])]
    name = options.name or f"edgecnn-{options.words[0]}"
    words = [*_program(), *options.words]
    user = _sudo_user()
    if writable and _is_root() and not user:
        raise EdgecnnError("a user that systemd makes writes no folder of others: install it by sudo, not as root")
    if options.words[0] not in _LASTING:
        raise EdgecnnError(f"{options.words[0]} ends by itself: only watch and serve can be services")
    return Unit(name, words, Path.cwd(), _is_root(), user, writable, _version())


def _sudo_user() -> str | None:
    """Who became root by sudo; None if nobody did."""
    name = os.environ.get("SUDO_USER") or None
    if name:
        import pwd  # not on Windows

        try:
            pwd.getpwnam(name)
        except (KeyError, ValueError):
            raise EdgecnnError(f"the variable SUDO_USER names no user of this machine: {bounds.short(name)}") from None
    return name


def _program() -> list[str]:
    """How edgecnn is started: a bundle by its link, which the next version will be behind; else by this Python."""
    model = os.environ.get("EDGECNN_MODEL")
    starter = Path(model).parent / "edgecnn" if model else None
    if starter is None or not starter.is_file():
        return [sys.executable, "-I", "-m", "edgecnn"]
    for folder in starter.parents[1:3]:
        if (folder / "current").resolve() == starter.parent.resolve():
            return [str(folder / "current" / "edgecnn")]
    return [str(starter)]


def _start(name: str) -> None:
    _systemctl("daemon-reload")
    _systemctl("enable", f"{name}.service")
    _systemctl("restart", f"{name}.service")
    if not _is_root():
        try:
            run_program("loginctl", "enable-linger", getpass.getuser())
        except EdgecnnError:
            warn(f"it ends when you log out: sudo loginctl enable-linger {getpass.getuser()}")


def _restore(path: Path, before: str | None) -> None:
    """Put the unit file back as it was."""
    if before is None:
        path.unlink()
    else:
        write_file(path, before.encode())


def status(options: argparse.Namespace) -> int:
    """The command `edgecnn service status`: 0 if it runs, else 1."""
    name = _installed(options.name)
    shown = "ActiveState,SubState,NRestarts,MainPID,ExecMainStatus,ActiveEnterTimestamp"
    lines = _systemctl("show", f"--property={shown}", f"{name}.service").stdout.splitlines()
    facts = {"service": name, **dict(line.split("=", 1) for line in lines if "=" in line)}
    _print(options, facts, "\n".join(f"{key:22}{fact}" for key, fact in facts.items()))
    return OK if facts.get("ActiveState") == "active" else 1


def logs(options: argparse.Namespace) -> int:
    """The command `edgecnn service logs`: the last lines of the journal; with --follow also those to come."""
    words = ["journalctl", *_manager(), f"--unit={_installed(options.name)}.service", f"--lines={options.lines}"]
    words += ["--no-pager", *(["--output=json"] if options.json else []), *(["--follow"] if options.follow else [])]
    try:
        return subprocess.run(words, check=False).returncode
    except FileNotFoundError:
        raise EdgecnnError("journalctl is missing: this system has no systemd") from None


def remove(options: argparse.Namespace) -> int:
    """The command `edgecnn service remove`."""
    name = _installed(options.name)
    path = _folder() / f"{name}.service"
    _systemctl("disable", "--now", f"{name}.service")
    path.unlink()
    _systemctl("daemon-reload")
    return _print(options, {"service": name, "removed": str(path)}, f"{name} is removed: {path}")


def _installed(name: str | None) -> str:
    """The name of a service that is installed; without a name the only one."""
    names = sorted(path.stem for path in _folder().glob("*.service") if MARK in _text(path))
    if name and name in names:
        return name
    if name or not names:
        what = f"no service {name}" if name else "no service of edgecnn"
        raise EdgecnnError(f"{_folder()} holds {what}: edgecnn service install watch csi")
    if len(names) > 1:
        raise EdgecnnError(f"several services are installed ({', '.join(names)}): give --name")
    return names[0]


def _text(path: Path) -> str:
    try:
        return read_file(path, _MOST).decode(errors="replace")
    except EdgecnnError:  # a link to nowhere, as that of a masked service
        return ""


def _folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return SYSTEM_UNITS if _is_root() else Path(config) / "systemd" / "user"


def _is_root() -> bool:
    return os.geteuid() == 0


def _manager() -> list[str]:
    return [] if _is_root() else ["--user"]


def _systemctl(*words: str) -> "subprocess.CompletedProcess[str]":
    return run_program("systemctl", *_manager(), *words, failure="systemd does not do it (--print shows the unit)")


def _version() -> int:
    """The version of systemd; 0 if there is none."""
    try:
        first = run_program("systemctl", "--version").stdout.split()[1]
    except (EdgecnnError, IndexError):
        return 0
    return int(first) if first.isdecimal() else 0


def _print(options: argparse.Namespace, document: dict[str, Any], line: str) -> int:
    if options.json:
        print_json(document)
    else:
        print(line)
    return OK
