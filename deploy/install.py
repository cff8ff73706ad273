"""Install a bundle on this device: runs there with nothing but Python's standard library.

python3 NAME.bundle                            install it into ~/edgecnn, or leave it where it is installed already
python3 NAME.bundle --status                   what is installed
python3 NAME.bundle --rollback                 back to the version before
~/edgecnn/current/install --bundle NAME.bundle install it by the program that is here already
~/edgecnn/current/edgecnn doctor               the command `edgecnn` of the version in use

A version is a folder of its own, with a virtual environment of its own. It comes into use by one rename, after its
answers were found to be those of the workstation and `edgecnn check` passed; the version before stays for --rollback.
What was begun and not ended is taken away by the next run.

Where ~/edgecnn/allowed_signers is, a bundle must be signed by one whom that file names (ssh-keygen(1), ALLOWED
SIGNERS), and be no older than the last one. `python3 NAME.bundle` runs the bundle's own program, which says so only if
it is honest: ~/edgecnn/current/install and `python -m deploy.fleet` look at a bundle before anything in it runs.
"""

# Python 3.7 reads this too, to say that it is too old.
import argparse
import importlib.util
import json
import platform
import shutil
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Optional, Sequence

from deploy.bundlefile import Bundle, InstallError, Said, open_bundle
from deploy.versions import is_whole, locked, point, prepared, say, sweep, take, target, version_of, write

SIGNERS = "allowed_signers"
REPORT = "this is a fault of edgecnn: please report it, with the words that you gave"
OK, FAILED, WRONG_INPUT, FAULT = 0, 1, 2, 70  # exit statuses, as edgecnn's
_FLOOR = "floor"  # when the signed bundle that was taken into use last was made, in seconds
_SPARE = 20_000_000  # bytes to leave on the disk


def run(argv: Optional[Sequence[str]] = None) -> int:
    """Install, tell or roll back.

    Returns:
        The exit status: 0 fine, 1 a check failed, 2 the input was wrong, 70 a fault of ours.
    """
    options = _options(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # what was begun is taken away, as by Ctrl-C
    try:
        said = _do(options)
    except InstallError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail("{}: {}".format(error.filename or options.to, error.strerror or error))
    except KeyboardInterrupt:
        return _fail("interrupted; what was begun was taken away")
    except Exception as error:
        return _fail("{!r}: {}".format(error, REPORT), FAULT)
    say(json.dumps(said) if options.json else said["said"], sys.stdout)
    return OK if said.get("passed", True) else FAILED


def _fail(why: str, status: int = WRONG_INPUT) -> int:
    say("error: " + why, sys.stderr)
    return status


def _options(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    itself = Path(__file__).absolute().parents[1]
    made = argparse.ArgumentParser(
        prog="python3 NAME.bundle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--bundle", default=itself if itself.is_file() else None, metavar="FILE", help="default: itself")
    made.add_argument("--to", type=_named, default="~/edgecnn", metavar="FOLDER", help="default ~/edgecnn")
    made.add_argument("--status", action="store_true", help="what is installed")
    made.add_argument("--rollback", action="store_true", help="back to the version before")
    made.add_argument("--allow-downgrade", action="store_true", help="take a signed bundle older than the last one")
    made.add_argument("--starter", help="a script that starts Python in place of its own binary, for emulators")
    made.add_argument("--json", action="store_true", help="print one JSON document to stdout and nothing else")
    return made.parse_args(argv)


def _named(text: str) -> str:
    if not text:  # as of an unset variable in a script: the current folder is not meant
        raise argparse.ArgumentTypeError("no folder is named")
    return text


def _do(options: argparse.Namespace) -> Said:
    try:
        home = Path(options.to).expanduser().absolute()
    except RuntimeError as error:
        raise InstallError("--to {}: {}".format(options.to, error)) from None
    if options.status:
        return status(home)
    if options.rollback:
        return rollback(home)
    if not options.bundle:
        raise InstallError("no bundle is named: --bundle FILE")
    return install(Path(options.bundle), home, options.starter, options.allow_downgrade)


def status(home: Path) -> Said:
    """What is installed, and whether it still starts."""
    folders = [target(home / name) for name in ("current", "previous")]
    current, previous = (folder and version_of(folder) for folder in folders)
    works = folders[0] is not None and is_whole(home / "versions" / folders[0])
    said = "current {}{}, previous {}".format(
        current or "none", " (which does not start)" if current and not works else "", previous or "none"
    )
    return {"current": current, "previous": previous, "works": works, "said": said}


def rollback(home: Path) -> Said:
    """Take the version before into use again.

    Raises:
        InstallError: there is none, or it no longer starts.
    """
    current, previous = (target(home / name) for name in ("current", "previous"))
    if not current or not previous or current == previous:
        raise InstallError("{} has no version before this one to go back to".format(home))
    with locked(home):
        if not is_whole(home / "versions" / previous):
            raise InstallError(
                "{} no longer starts (another Python is here now, say): install its bundle again".format(previous)
            )
        point(home / "current", previous)
        point(home / "previous", current)
    current, previous = version_of(previous), version_of(current)
    return {"current": current, "previous": previous, "changed": True, "said": "back to {}".format(current)}


def install(path: Path, home: Path, starter: Optional[str] = None, allow_downgrade: bool = False) -> Said:
    """Install a bundle and take it into use, if it is not.

    Raises:
        InstallError: the bundle is damaged, too old, not signed as wanted, or not for this device, or there is no room.
    """
    bundle = open_bundle(path, home / SIGNERS)
    _check_device(bundle)
    _check_date(bundle, home)
    _check_room(bundle, home)
    with locked(home):
        current = target(home / "current")
        if current and version_of(current) == bundle.version and is_whole(home / "versions" / current):
            said = "{} is in use already: nothing changed".format(bundle.version)
            return {"current": bundle.version, "changed": False, "said": said}
        if not allow_downgrade and not (current and version_of(current) == bundle.version):
            _check_age(bundle, home)
        sweep(home)
        folder, failures = prepared(bundle, home, starter)
        if failures:
            kept = version_of(current) if current else None
            said = "{} was not taken into use: {}; {} stays".format(
                bundle.version, "; ".join(failures), kept or "nothing"
            )
            return {"current": kept, "changed": False, "passed": False, "failures": failures, "said": said}
        before = take(home, folder)
        if bundle.signed and "made" in bundle.index:
            write(home / _FLOOR, str(bundle.index["made"]))
    said = "{} is in use".format(bundle.version)
    return {"current": bundle.version, "previous": before, "changed": True, "said": said}


def _check_device(bundle: Bundle) -> None:
    """Whether this Python can run what the bundle holds."""
    meant, here = bundle.index["device"], {"python": "{}.{}".format(*sys.version_info[:2]), "machine": _machine()}
    if meant != here:
        words = ["Python {python} on {machine}".format(**each) for each in (meant, here)]
        raise InstallError("{} is for {}, and this is {}: make one for it with --target".format(bundle.path, *words))
    for module, package in bundle.index.get("needs", {}).items():
        if importlib.util.find_spec(module) is None:
            raise InstallError("{} is missing, which has no wheels for this system: apt-get install {}".format(
                module, package))  # fmt: skip


def _machine() -> str:
    """As platform.machine(), but 32-bit Python on a 64-bit kernel is armv7l."""
    machine = platform.machine()
    return {"aarch64": "armv7l", "armv8l": "armv7l"}.get(machine, machine) if struct.calcsize("P") == 4 else machine


def _check_date(bundle: Bundle, home: Path) -> None:
    """Whether the bundle has not expired; a clock that was never set is no earlier than the last bundle."""
    today = time.strftime("%Y-%m-%d", time.gmtime(max(time.time(), _floor(home))))
    expires = bundle.index.get("expires", today)
    if today > expires:
        raise InstallError("{} expired on {}, and today is {}: make it anew".format(bundle.path, expires, today))


def _check_age(bundle: Bundle, home: Path) -> None:
    """Whether a signed bundle is no older than the last one: an old one may hold what was mended since."""
    made, floor = bundle.index.get("made", 0), _floor(home)
    if bundle.signed and made < floor:
        times = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(each)) for each in (made, floor)]
        raise InstallError(
            "{} was made {} UTC, and the last one here {}: --allow-downgrade takes an older one".format(
                bundle.path, *times
            )
        )


def _floor(home: Path) -> int:
    try:
        return min(int((home / _FLOOR).read_text()), 10**10)
    except FileNotFoundError:
        return 0
    except ValueError:
        raise InstallError("{} is damaged: remove it, and no bundle is too old".format(home / _FLOOR)) from None


def _check_room(bundle: Bundle, home: Path) -> None:
    place = home
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(str(place)).free, bundle.size + bundle.index["unpacked"] + _SPARE
    if free < needed:
        raise InstallError(
            "the disk has {:.0f} MB left at {}, {:.0f} are needed: make room".format(free / 1e6, place, needed / 1e6)
        )


if __name__ == "__main__":
    sys.exit(run())
