"""Build a version on a device: its files, its environment, its commands, and the proof that it works."""

# Python 3.7 reads this too, to say that it is too old.
import contextlib
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
from typing import List, Optional, Sequence, Tuple

from deploy.bundlefile import Bundle
from deploy.disk import sync_folder
from deploy.index import MODELS, WHEELS, Index, InstallError
from deploy.versions import folders_of, is_complete, mark_complete, works


def build(bundle: Bundle, home: Path, starter: Optional[str]) -> Tuple[Path, List[str]]:
    """Build a bundle's version and check it; one that works already is only checked.

    Args:
        bundle: what to install.
        home: the folder of all versions.
        starter: a script that starts Python in place of its own binary, for emulators.

    Returns:
        The version's folder, complete and on the disk, and the checks that it failed. After a failure the folder is
        removed.
    """
    folders = folders_of(bundle.version, home)
    for folder in folders:
        if works(folder):
            return folder, failed_checks(folder, bundle.index)
    folder = next(folder for folder in folders if not os.path.lexists(str(folder)))
    try:
        _build(folder, bundle, home, starter)
        failures = failed_checks(folder, bundle.index)
        if not failures:
            sync_folder(folder)
            mark_complete(folder)
        return folder, failures
    finally:
        if not is_complete(folder):
            shutil.rmtree(str(folder), ignore_errors=True)


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
    _install_wheels(folder, packages, bundle.index["offline"])
    shutil.rmtree(str(folder / WHEELS))
    _write_launcher(folder / "edgecnn", [python, "-I", "-m", "edgecnn"], EDGECNN_MODEL=folder / MODELS)
    _write_launcher(folder / "install", [starter or sys.executable, "-I", folder, "--to", home])


def _write_launcher(path: Path, words: Sequence[object], **variables: object) -> None:
    """A shell script that starts a program; all that enters the shell is quoted here.

    The program is started with -I, so that neither the current folder nor PYTHONPATH can replace a module.
    """
    lines = ["export {}={}".format(name, shlex.quote(str(value))) for name, value in variables.items()]
    lines.append('exec {} "$@"'.format(" ".join(shlex.quote(str(word)) for word in words)))
    path.write_bytes(os.fsencode("\n".join(["#!/bin/sh", *lines, ""])))
    path.chmod(0o755)


def _install_wheels(folder: Path, packages: Path, offline: bool) -> None:
    """Install the bundle's wheels into `packages` with the bundle's own pip, which needs nothing of the device's."""
    wheels, log, scratch = folder / WHEELS, folder / "pip.log", folder / "scratch"
    scratch.mkdir()
    (pip,) = wheels.glob("pip-*.whl")
    words = ["pip", "install", "--target", str(packages), "--only-binary", ":all:", "--no-deps", "--no-compile"]
    words += ["--no-input", "--disable-pip-version-check", "--no-cache-dir", "--quiet", "--log", str(log)]
    words += ["--isolated", "--no-index"] if offline else []
    words += ["--find-links", str(wheels), "--require-hashes", "--requirement", str(wheels / "requirements.txt")]
    status = _fork_pip(pip, words, scratch)
    if status != 0:
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        errors = [line for line in lines if "ERROR" in line] or ["it ended with status {}".format(status)]
        raise InstallError("pip could not install the wheels: {}".format(errors[-1][-300:]))
    log.unlink()
    shutil.rmtree(str(scratch))


def _fork_pip(pip: Path, words: List[str], scratch: Path) -> int:
    """Run pip's wheel in a fork of this process, with `scratch` for its temporary files; gives the wait status."""
    child = os.fork()
    if child == 0:
        os.environ["TMPDIR"] = str(scratch)  # removed with the folder, and as large as the disk is
        os._exit(_run_pip(pip, words))
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:  # Ctrl-C: the child must not write into a folder that is being removed
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def _run_pip(pip: Path, words: List[str]) -> int:
    """In the fork: be pip; gives its exit status."""
    sys.argv[:], sys.path[:0] = words, [str(pip)]
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        return 1
    return 0


def failed_checks(folder: Path, index: Index) -> List[str]:
    """Compare a version's answers with the workstation's, and run `edgecnn check` on each model if it has labels.

    Returns:
        A line for each check that failed.
    """
    models = folder / MODELS
    checks = [["golden", str(models)]]
    if index.get("labelled", True):
        checks += [["check", str(models / name), str(models / "evaluation.npz")] for name in index["models"]]
    return [line for line in (_failure(folder, words) for words in checks) if line]


def _failure(folder: Path, words: List[str]) -> str:
    """Run a command of a version: its error in one line, or nothing if it succeeded."""
    command = [str(folder / "edgecnn"), *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode == 0:
        return ""
    errors = done.stderr.decode(errors="replace").strip().splitlines()
    return "edgecnn {} {}".format(words[0], errors[-1][-300:] if errors else "failed")
