"""Versions on a device: each a folder of its own, built, proved, brought to the disk, and named by a link.

`current` and `previous` are links into `versions/`. A version that no longer starts is built again beside itself, as
NAME+2: until the new one passes, nothing is lost. One installation is at work at a time.
"""

# Python 3.7 reads this too, to say that it is too old.
import contextlib
import fcntl
import io
import os
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple

from deploy.bundlefile import MODELS, WHEELS, Bundle, InstallError, Said

_COMPLETE = "complete"  # a file in a version that is whole
_AGAIN = "+"  # between a version and its number, where it was built again


def version_of(folder: str) -> str:
    """The version that a folder holds."""
    return folder.partition(_AGAIN)[0]


def is_whole(folder: Path) -> bool:
    """Whether a version was built to its end, and its command still starts: the system's Python may be another now."""
    if not (folder / _COMPLETE).exists():
        return False
    out = subprocess.DEVNULL
    try:
        words = [str(folder / "edgecnn"), "--version"]
        return subprocess.run(words, stdout=out, stderr=out, check=False, timeout=300).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def say(text: str, stream: Any) -> None:
    """One line, without what a terminal would obey; whether anybody reads it changes no status."""
    line = "".join(each if each.isprintable() else "?" for each in " ".join(text.split()))
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
        print(line.encode(stream.encoding, "backslashreplace").decode(stream.encoding), file=stream, flush=True)


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Keep other installations out; one that is at work is waited for. The lock ends with its process."""
    home.mkdir(parents=True, exist_ok=True)
    held = os.open(str(home / ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another installation is at work in {}: waiting for it".format(home), sys.stderr)
            fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def prepared(bundle: Bundle, home: Path, starter: Optional[str]) -> Tuple[Path, List[str]]:
    """The folder of a version, whole and on the disk, and what it fails; what is not whole in the end is taken away.

    A version that no longer starts is built again beside itself: until the new one passes, nothing is lost.
    """
    versions = home / "versions"
    places = [versions / bundle.version] + [
        versions / "{}{}{}".format(bundle.version, _AGAIN, number) for number in range(2, 10)
    ]
    for folder in places:
        if is_whole(folder):
            return folder, check(folder, bundle.index)
    folder = next(each for each in places if not os.path.lexists(str(each)))
    try:
        _build(folder, bundle, home, starter)
        failures = check(folder, bundle.index)
        if not failures:
            _sync(folder)
            write(folder / _COMPLETE, "")
        return folder, failures
    finally:
        if not (folder / _COMPLETE).exists():
            shutil.rmtree(str(folder), ignore_errors=True)


def take(home: Path, folder: Path) -> Optional[str]:
    """Let a version be the current one and the one in use the previous; gives the previous one."""
    before, previous = target(home / "current"), home / "previous"
    if before and version_of(before) != version_of(folder.name) and is_whole(home / "versions" / before):
        point(previous, before)
    elif target(previous) == folder.name:
        previous.unlink()
    point(home / "current", folder.name)
    sweep(home)
    kept = target(previous)
    return kept and version_of(kept)


def _build(folder: Path, bundle: Bundle, home: Path, starter: Optional[str]) -> None:
    """A version's folder: its files, its environment and the commands `edgecnn` and `install`."""
    folder.mkdir(parents=True)
    bundle.extract(folder)
    environment = folder / "env"
    venv.EnvBuilder(symlinks=True, with_pip=False, system_site_packages=bundle.index["system_site_packages"]).create(
        str(environment)
    )
    python = environment / "bin" / "python"
    if starter:
        python.unlink()
        shutil.copy(starter, str(python))
    packages = environment / "lib" / "python{}.{}".format(*sys.version_info[:2]) / "site-packages"
    _pip(folder, packages, bundle.index["offline"])
    shutil.rmtree(str(folder / WHEELS))
    _launcher(folder / "edgecnn", [python, "-I", "-m", "edgecnn"], EDGECNN_MODEL=folder / MODELS)
    _launcher(folder / "install", [starter or sys.executable, "-I", folder, "--to", home])


def _launcher(path: Path, words: Sequence[object], **variables: object) -> None:
    """A command that starts a program; all that enters the shell is quoted here.

    The program is started with -I: what lies in the folder that somebody is in, or what PYTHONPATH names, is not run.
    """
    lines = ["export {}={}".format(name, shlex.quote(str(value))) for name, value in variables.items()]
    lines.append('exec {} "$@"'.format(" ".join(shlex.quote(str(word)) for word in words)))
    path.write_bytes(os.fsencode("\n".join(["#!/bin/sh", *lines, ""])))
    path.chmod(0o755)


def _pip(folder: Path, packages: Path, offline: bool) -> None:
    """Run the bundle's own pip, which needs nothing of the device's, in a fork of this process."""
    wheels, said, scratch = folder / WHEELS, folder / "pip.log", folder / "scratch"
    scratch.mkdir()
    (pip,) = wheels.glob("pip-*.whl")
    words = ["pip", "install", "--target", str(packages), "--only-binary", ":all:", "--no-deps", "--no-compile"]
    words += ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet", "--log", str(said)]
    words += ["--isolated", "--no-index"] if offline else []
    words += ["--find-links", str(wheels), "--require-hashes", "--requirement", str(wheels / "requirements.txt")]
    child = os.fork()
    if child == 0:
        os.environ["TMPDIR"] = str(scratch)  # taken away with the folder, and as large as the disk is
        os._exit(_run_pip(pip, words))
    try:
        _, ended = os.waitpid(child, 0)
    except BaseException:  # Ctrl-C: it must not write into what is taken away
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    if ended != 0:
        lines = said.read_text(errors="replace").splitlines() if said.exists() else []
        last = [line for line in lines if "ERROR" in line] or ["it ended with status {}".format(ended)]
        raise InstallError("pip could not install the wheels: {}".format(last[-1][-300:]))
    said.unlink()
    shutil.rmtree(str(scratch))


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
    """What a version fails: its answers against the workstation's, and `edgecnn check` of every model, where it can."""
    models, failures = folder / MODELS, []
    tried = [["golden", str(models)]]
    if index.get("labelled", True):
        tried += [["check", str(models / name), str(models / "evaluation.npz")] for name in index["models"]]
    for words in tried:
        done = subprocess.run(
            [str(folder / "edgecnn"), *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
        )
        if done.returncode != 0:
            error = done.stderr.decode(errors="replace").strip().splitlines()
            failures.append("edgecnn {} {}".format(words[0], error[-1][-300:] if error else "failed"))
    return failures


def _sync(folder: Path) -> None:
    """Bring a folder and all in it to the disk: the mark that it is whole must not outlive its files.

    All is written at once first; of that the second pass only hears the errors, file by file.
    """
    os.sync()
    for place, _, names in os.walk(str(folder)):
        for name in [".", *names]:
            path = os.path.join(place, name)
            if not os.path.islink(path):
                _sync_one(path)
    _sync_one(str(folder.parent))


def _sync_one(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write(path: Path, text: str) -> None:
    """Write a file, whole and on the disk, or not at all."""
    beside = path.with_name(".{}.new".format(path.name))
    beside.write_text(text)
    _sync_one(str(beside))
    os.replace(str(beside), str(path))
    _sync_one(str(path.parent))


def sweep(home: Path) -> None:
    """Keep the version in use and the one before; take away others, and what an earlier run began and did not end."""
    kept = {target(home / name) for name in ("current", "previous")}
    for folder in (home / "versions").glob("*"):
        if folder.name not in kept:
            shutil.rmtree(str(folder))


def target(link: Path) -> Optional[str]:
    """The folder of the version that a link names; None where there is none."""
    return os.path.basename(os.readlink(str(link))) if link.is_symlink() else None


def point(link: Path, folder: str) -> None:
    """Let a link name a version's folder, by one rename."""
    beside = link.with_name("." + link.name)
    if beside.is_symlink():
        beside.unlink()
    beside.symlink_to(os.path.join("versions", folder))
    os.replace(str(beside), str(link))
    _sync_one(str(link.parent))
