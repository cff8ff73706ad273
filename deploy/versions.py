"""Versions on a device: a folder for each, of which the links `current` and `previous` name two.

A version that no longer starts is built again beside itself, as NAME+2: until the new folder passes its checks, nothing
is lost. One installation works at a time.
"""

# Python 3.7 reads this too, to say that it is too old.
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Iterator, List, Optional

from deploy.disk import link, write

_COMPLETE = "complete"  # a file in a version that was built to its end
_AGAIN = "+"  # between a version and its number, where it was built again
_MOST_BUILDS = 9  # of one version


def version_of(folder: str) -> str:
    """The version in a folder of this name."""
    return folder.partition(_AGAIN)[0]


def folders_of(version: str, home: Path) -> List[Path]:
    """The folders that a version may be in, whether they exist or not."""
    names = [version, *("{}{}{}".format(version, _AGAIN, number) for number in range(2, _MOST_BUILDS + 1))]
    return [home / "versions" / name for name in names]


def is_complete(folder: Path) -> bool:
    """Whether a version was built to its end."""
    return (folder / _COMPLETE).exists()


def mark_complete(folder: Path) -> None:
    """Note that a version was built to its end and is on the disk."""
    write(folder / _COMPLETE, "")


def works(folder: Path) -> bool:
    """Whether a version is complete and its command still starts: the system's Python may be another now."""
    if not is_complete(folder):
        return False
    out = subprocess.DEVNULL
    try:
        words = [str(folder / "edgecnn"), "--version"]
        return subprocess.run(words, stdout=out, stderr=out, check=False, timeout=300).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def folder_in_use(home: Path, name: str = "current") -> Optional[str]:
    """The name of the folder that the link `current` or `previous` names; None without a link."""
    path = home / name
    return os.path.basename(os.readlink(str(path))) if path.is_symlink() else None


def point(home: Path, name: str, folder: str) -> None:
    """Let the link `current` or `previous` name a version's folder."""
    link(home / name, os.path.join("versions", folder))


def put_into_use(home: Path, folder: Path) -> Optional[str]:
    """Make a version the current one and the one in use the previous one.

    Returns:
        The previous version; None if there is none.
    """
    before = folder_in_use(home)
    if before and version_of(before) != version_of(folder.name) and works(home / "versions" / before):
        point(home, "previous", before)
    elif folder_in_use(home, "previous") == folder.name:
        (home / "previous").unlink()
    point(home, "current", folder.name)
    sweep(home)
    previous = folder_in_use(home, "previous")
    return previous and version_of(previous)


def sweep(home: Path) -> None:
    """Remove all versions but the current and the previous one, also what an earlier run left half done."""
    kept = {folder_in_use(home), folder_in_use(home, "previous")}
    for folder in (home / "versions").glob("*"):
        if folder.name not in kept:
            shutil.rmtree(str(folder))


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Wait until no other installation works in `home`, and keep others out; the lock ends with its process."""
    home.mkdir(parents=True, exist_ok=True)
    lock = os.open(str(home / ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print_line("another installation is at work in {}: waiting for it".format(home), sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def print_line(text: str, stream: Any) -> None:
    """Print one line without control characters; a stream that nobody reads changes no exit status."""
    line = "".join(character if character.isprintable() else "?" for character in " ".join(text.split()))
    with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or none at all
        print(line.encode(stream.encoding, "backslashreplace").decode(stream.encoding), file=stream, flush=True)
