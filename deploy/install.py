"""Install a bundle on this device: runs there with nothing but Python's standard library.

python3 NAME.bundle                    install it into ~/edgecnn, or leave it where it is installed already
python3 NAME.bundle --status           what is installed
python3 NAME.bundle --rollback         back to the version before
~/edgecnn/current/edgecnn doctor       the command `edgecnn` of the version in use

A version is a folder of its own, with a virtual environment of its own. It comes into use by one rename, after its
answers were found to be those of the workstation and `edgecnn check` passed; the version before stays for --rollback.
What was begun and not ended is taken away by the next run. Where ~/edgecnn/allowed_signers is, a bundle must be signed
by one whom that file names (ssh-keygen(1), ALLOWED SIGNERS).
"""

# Python 3.7 reads this too, to say that it is too old.
import argparse
import contextlib
import hashlib
import io
import json
import os
import platform
import re
import runpy
import shutil
import struct
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

SCHEMA = 1
INDEX, SIGNATURE = "index.json", "index.json.sig"
NAMESPACE = "edgecnn-bundle"  # of signatures
SIGNERS = "allowed_signers"
COMPLETE = "complete"  # a file in a version that is whole
_SEAL = 64  # characters: the SHA-256 of all bytes before them, at the end of the file
_SPARE = 20_000_000  # bytes to leave on the disk

Said = Dict[str, Any]
Members = Dict[str, bytes]


class InstallError(Exception):
    """What the user can mend, in one line."""


def run(argv: Optional[Sequence[str]] = None) -> int:
    """Install, tell or roll back; the exit status: 0 fine, 1 a check failed, 2 the input was wrong."""
    options = _options(argv)
    home = Path(options.to).expanduser().absolute()
    try:
        if options.status:
            said = status(home)
        elif options.rollback:
            said = rollback(home)
        else:
            said = install(Path(options.bundle), home, options.starter)
    except InstallError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        return 2
    except OSError as error:
        print("error: {}: {}".format(error.filename or home, error.strerror or error), file=sys.stderr)
        return 2
    print(json.dumps(said) if options.json else said["said"])
    return 0 if said.get("passed", True) else 1


def _options(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    made = argparse.ArgumentParser(
        prog="python3 NAME.bundle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--bundle", default=sys.path[0], help=argparse.SUPPRESS)  # this file itself, when it is run
    made.add_argument("--to", default="~/edgecnn", metavar="FOLDER", help="default ~/edgecnn")
    made.add_argument("--status", action="store_true", help="what is installed")
    made.add_argument("--rollback", action="store_true", help="back to the version before")
    made.add_argument("--starter", help="a script that starts Python in place of its own binary, for emulators")
    made.add_argument("--json", action="store_true", help="print one JSON document to stdout and nothing else")
    return made.parse_args(argv)


def status(home: Path) -> Said:
    """What is installed."""
    current, previous = (_target(home / name) for name in ("current", "previous"))
    said = "current {}, previous {}".format(current or "none", previous or "none")
    return {"current": current, "previous": previous, "said": said}


def rollback(home: Path) -> Said:
    """Take the version before into use again."""
    current, previous = (_target(home / name) for name in ("current", "previous"))
    if not current or not previous:
        raise InstallError("{} has no version before this one to go back to".format(home))
    _point(home / "current", previous)
    _point(home / "previous", current)
    return {"current": previous, "previous": current, "changed": True, "said": "back to {}".format(previous)}


def install(bundle: Path, home: Path, starter: Optional[str] = None) -> Said:
    """Install a bundle and take it into use, if it is not.

    Raises:
        InstallError: the bundle is damaged, not signed as wanted, or not for this device, or there is no room.
    """
    data = _read(bundle)
    members = unpacked(bundle, data, home / SIGNERS)
    index = json.loads(members[INDEX].decode())
    version = index["version"]
    _check_device(bundle, index)
    folder = home / "versions" / version
    if (folder / COMPLETE).exists() and not _works(folder):
        (folder / COMPLETE).unlink()  # the system's Python is another one now
    if _target(home / "current") == version and (folder / COMPLETE).exists():
        return {"current": version, "changed": False, "said": "{} is in use already: nothing changed".format(version)}
    _sweep(home)
    if not folder.exists():
        _check_room(home, len(data), index)
        _build(folder, members, index, starter)
    failures = check(folder, index)
    if failures:
        if not (folder / COMPLETE).exists():
            shutil.rmtree(str(folder))
        kept = _target(home / "current")
        said = "{} was not taken into use: {}; {} stays".format(version, "; ".join(failures), kept or "nothing")
        return {"current": kept, "changed": False, "passed": False, "failures": failures, "said": said}
    (folder / COMPLETE).touch()
    before = _target(home / "current")
    if before:
        _point(home / "previous", before)
    _point(home / "current", version)
    _prune(home)
    return {"current": version, "previous": before, "changed": True, "said": "{} is in use".format(version)}


def _works(folder: Path) -> bool:
    """Whether a version's command still starts."""
    out = subprocess.DEVNULL
    return subprocess.run([str(folder / "edgecnn"), "--version"], stdout=out, stderr=out, check=False).returncode == 0


def unpacked(bundle: Path, data: bytes, signers: Optional[Path] = None) -> Members:
    """The members of a bundle, checked: its seal, its signature where `signers` is there, the hash of every file.

    Raises:
        InstallError: one of these is wrong.
    """
    if hashlib.sha256(data[:-_SEAL]).hexdigest().encode() != data[-_SEAL:]:
        raise InstallError("{} is damaged: its SHA-256 is not the one it ends with; copy it again".format(bundle))
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        index = json.loads(members[INDEX].decode())
        files, version = index["files"], str(index["version"])
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise InstallError("{} is no bundle of edgecnn ({})".format(bundle, error)) from None
    if signers is not None and signers.exists():
        _check_signature(bundle, members, signers)
    for name in members:
        if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
            raise InstallError("{} holds a file that leaves its folder: {!r}".format(bundle, name))
    if not re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*$", version):
        raise InstallError("{} names a version that is no folder's name: {!r}".format(bundle, version))
    if set(members) - {INDEX, SIGNATURE} != set(files):
        raise InstallError("{} does not hold the files that its index lists".format(bundle))
    for name, expected in files.items():
        if hashlib.sha256(members[name]).hexdigest() != expected:
            raise InstallError("{} is damaged: {} is not the file of its index".format(bundle, name))
    return members


def _read(bundle: Path) -> bytes:
    try:
        return bundle.read_bytes()
    except OSError as error:
        raise InstallError("{} cannot be read: {}".format(bundle, error.strerror)) from None


def _check_signature(bundle: Path, members: Members, signers: Path) -> None:
    if SIGNATURE not in members:
        raise InstallError("{} is not signed, and {} asks for a signature".format(bundle, signers))
    if not shutil.which("ssh-keygen"):
        raise InstallError("ssh-keygen is missing, which checks signatures: apt-get install openssh-client")
    with tempfile.TemporaryDirectory() as folder:
        signature = os.path.join(folder, SIGNATURE)
        Path(signature).write_bytes(members[SIGNATURE])
        find = ["ssh-keygen", "-Y", "find-principals", "-f", str(signers), "-s", signature]
        named = subprocess.run(find, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.decode()
        who = named.splitlines()[0] if named else ""
        verify = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", who, "-n", NAMESPACE, "-s", signature]
        out = subprocess.DEVNULL
        if not who or subprocess.run(verify, input=members[INDEX], stdout=out, stderr=out, check=False).returncode:
            raise InstallError("{} is not signed by anyone whom {} names".format(bundle, signers))


def _check_device(bundle: Path, index: Said) -> None:
    """Whether this Python can run what the bundle holds."""
    here = {"python": "{}.{}".format(*sys.version_info[:2]), "machine": _machine()}
    if index["schema"] != SCHEMA:
        raise InstallError("{} is of schema {}, {} wanted".format(bundle, index["schema"], SCHEMA))
    for name, wanted in index["device"].items():
        if here[name] != wanted:
            device = "Python {python} on {machine}".format(**here)
            meant = "Python {python} on {machine}".format(**index["device"])
            raise InstallError(
                "{} is for {}, and this is {}: make one for it with --target".format(bundle, meant, device)
            )


def _machine() -> str:
    """As platform.machine(), but 32-bit Python on a 64-bit kernel is armv7l."""
    machine = platform.machine()
    return {"aarch64": "armv7l", "armv8l": "armv7l"}.get(machine, machine) if struct.calcsize("P") == 4 else machine


def _check_room(home: Path, size: int, index: Said) -> None:
    place = home
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(str(place)).free, size + index["unpacked"] + _SPARE
    if free < needed:
        raise InstallError(
            "the disk has {:.0f} MB left at {}, {:.0f} are needed: make room".format(free / 1e6, place, needed / 1e6)
        )


def _build(folder: Path, members: Members, index: Said, starter: Optional[str]) -> None:
    """A version's folder: its files, its environment and the command `edgecnn`."""
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    environment = folder / "env"
    venv.EnvBuilder(symlinks=True, with_pip=False, system_site_packages=index["system_site_packages"]).create(
        str(environment)
    )
    python = environment / "bin" / "python"
    if starter:
        python.unlink()
        shutil.copy(starter, str(python))
    packages = environment / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    _pip(folder, packages, index)
    shutil.rmtree(str(folder / "wheels"))
    launcher = folder / "edgecnn"
    launcher.write_text('#!/bin/sh\nexec "{}" -m edgecnn "$@"\n'.format(python))
    launcher.chmod(0o755)


def _pip(folder: Path, packages: Path, index: Said) -> None:
    """Run the bundle's own pip, which needs nothing of the device's, in a fork of this process."""
    wheels, said = folder / "wheels", folder / "pip.log"
    (pip,) = wheels.glob("pip-*.whl")
    words = ["pip", "install", "--target", str(packages), "--only-binary", ":all:", "--no-deps", "--no-compile"]
    words += ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet", "--log", str(said)]
    words += ["--isolated", "--no-index"] if index["offline"] else []
    words += ["--find-links", str(wheels), "--require-hashes", "--requirement", str(wheels / "requirements.txt")]
    child = os.fork()
    if child == 0:
        os._exit(_run_pip(pip, words))
    _, status = os.waitpid(child, 0)
    if status != 0:
        lines = said.read_text(errors="replace").splitlines() if said.exists() else []
        last = [line for line in lines if "ERROR" in line] or ["it ended with status {}".format(status)]
        shutil.rmtree(str(folder))
        raise InstallError("pip could not install the wheels: {}".format(last[-1][-300:]))
    said.unlink()


def _run_pip(pip: Path, words: List[str]) -> int:
    """In the fork: be pip, and give its exit status."""
    sys.argv[:], sys.path[:0] = words, [str(pip)]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        return 1
    return 0


def check(folder: Path, index: Said) -> List[str]:
    """What a version fails: its answers against the workstation's, and `edgecnn check` of every model."""
    models, failures = folder / "models", []
    tried = [["golden", str(models)]]
    tried += [["check", str(models / name), str(models / "evaluation.npz")] for name in index["models"]]
    for words in tried:
        done = subprocess.run(
            [str(folder / "edgecnn"), *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
        )
        if done.returncode != 0:
            error = done.stderr.decode(errors="replace").strip().splitlines()
            failures.append("edgecnn {} {}".format(words[0], error[-1] if error else "failed"))
    return failures


def _sweep(home: Path) -> None:
    """Take away what an earlier run began and did not end."""
    for folder in (home / "versions").glob("*"):
        if not (folder / COMPLETE).exists():
            shutil.rmtree(str(folder))


def _prune(home: Path) -> None:
    """Keep the version in use and the one before."""
    kept = {_target(home / name) for name in ("current", "previous")}
    for folder in (home / "versions").glob("*"):
        if folder.name not in kept:
            shutil.rmtree(str(folder))


def _target(link: Path) -> Optional[str]:
    """The version that a link names; None where there is none."""
    return os.path.basename(os.readlink(str(link))) if link.is_symlink() else None


def _point(link: Path, version: str) -> None:
    """Let a link name a version, by one rename."""
    beside = link.with_name("." + link.name)
    if beside.is_symlink():
        beside.unlink()
    beside.symlink_to(os.path.join("versions", version))
    os.replace(str(beside), str(link))


if __name__ == "__main__":
    sys.exit(run())
