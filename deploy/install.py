"""Install a bundle on this device: runs there with nothing but Python's standard library.

python3 NAME.bundle                            install it into ~/edgecnn; does nothing if it is installed already
python3 NAME.bundle --status                   show what is installed
python3 NAME.bundle --rollback                 go back to the previous version
~/edgecnn/current/install --bundle NAME.bundle install it with the program that is here already
~/edgecnn/current/edgecnn doctor               the command `edgecnn` of the version in use

A version is a folder with a virtual environment of its own. It is put into use by one rename, after its answers equal
those of the workstation and `edgecnn check` passes; the previous version stays for --rollback. The next run removes
what was left half done.

If ~/edgecnn/allowed_signers exists, a bundle must be signed by somebody whom that file names (ssh-keygen(1), ALLOWED
SIGNERS), and be no older than the last one. `python3 NAME.bundle` runs the bundle's own program, which checks this only
if it is honest: ~/edgecnn/current/install and `python -m deploy.fleet` check a bundle before anything in it runs.
"""

# Python 3.7 reads this too, to say that it is too old.
import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any, Dict, Optional, Sequence

from deploy.acceptance import check_age, check_date, check_device, check_room, record_age
from deploy.building import build
from deploy.bundlefile import open_bundle
from deploy.index import InstallError
from deploy.versions import folder_in_use, locked, point, print_line, put_into_use, sweep, version_of, works

SIGNERS = "allowed_signers"
REPORT = "this is a fault of edgecnn: please report it, with the words that you gave"
OK, FAILED, WRONG_INPUT, FAULT = 0, 1, 2, 70  # exit statuses, as edgecnn's

Report = Dict[str, Any]  # for --json; "said" is its line for people


def run(argv: Optional[Sequence[str]] = None) -> int:
    """Install, show what is installed, or roll back.

    Returns:
        The exit status: 0 fine, 1 a check failed, 2 the input was wrong, 70 a fault of edgecnn.
    """
    options = _options(argv)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # a version half built is removed, as at Ctrl-C
    try:
        report = _report(options)
    except InstallError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail("{}: {}".format(error.filename or options.to, error.strerror or error))
    except KeyboardInterrupt:
        return _fail("interrupted; what was half done is removed")
    except Exception as error:
        return _fail("{!r}: {}".format(error, REPORT), FAULT)
    print_line(json.dumps(report) if options.json else report["said"], sys.stdout)
    return OK if report.get("passed", True) else FAILED


def _fail(reason: str, status: int = WRONG_INPUT) -> int:
    print_line("error: " + reason, sys.stderr)
    return status


def _options(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    itself = Path(__file__).absolute().parents[1]
    parser = argparse.ArgumentParser(
        prog="python3 NAME.bundle", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    own = itself if itself.is_file() else None
    parser.add_argument("--bundle", default=own, metavar="FILE", help="default: itself")
    parser.add_argument("--to", type=_folder, default="~/edgecnn", metavar="FOLDER", help="default ~/edgecnn")
    parser.add_argument("--status", action="store_true", help="show what is installed")
    parser.add_argument("--rollback", action="store_true", help="go back to the previous version")
    parser.add_argument("--allow-downgrade", action="store_true", help="accept a signed bundle older than the last one")
    parser.add_argument("--starter", help="a script that starts Python in place of its own binary, for emulators")
    parser.add_argument("--json", action="store_true", help="print one JSON document to stdout and nothing else")
    return parser.parse_args(argv)


def _folder(text: str) -> str:
    if not text:  # an unset variable of a script: the current folder is not meant
        raise argparse.ArgumentTypeError("no folder is named")
    return text


def _report(options: argparse.Namespace) -> Report:
    """Do what the options say."""
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


def status(home: Path) -> Report:
    """What is installed, and whether it still starts."""
    folder, before = folder_in_use(home), folder_in_use(home, "previous")
    current, previous = folder and version_of(folder), before and version_of(before)
    starts = folder is not None and works(home / "versions" / folder)
    line = "current {}{}, previous {}".format(
        current or "none", " (which does not start)" if current and not starts else "", previous or "none"
    )
    return {"current": current, "previous": previous, "works": starts, "said": line}


def rollback(home: Path) -> Report:
    """Put the previous version into use again.

    Raises:
        InstallError: there is none, or it no longer starts.
    """
    current, previous = folder_in_use(home), folder_in_use(home, "previous")
    if not current or not previous or current == previous:
        raise InstallError("{} has no version before this one to go back to".format(home))
    with locked(home):
        if not works(home / "versions" / previous):
            raise InstallError(
                "{} no longer starts (another Python is here now, say): install its bundle again".format(previous)
            )
        point(home, "current", previous)
        point(home, "previous", current)
    current, previous = version_of(previous), version_of(current)
    return {"current": current, "previous": previous, "changed": True, "said": "back to {}".format(current)}


def install(path: Path, home: Path, starter: Optional[str] = None, allow_downgrade: bool = False) -> Report:
    """Install a bundle and put it into use, unless it is in use already.

    Args:
        path: the bundle.
        home: the folder to install into.
        starter: a script that starts Python in place of its own binary, for emulators.
        allow_downgrade: accept a signed bundle that is older than the last one.

    Raises:
        InstallError: the bundle is damaged, too old, not signed as required, or not for this device, or the disk has no
            room.
    """
    bundle = open_bundle(path, home / SIGNERS)
    check_device(bundle)
    check_date(bundle, home)
    check_room(bundle, home)
    with locked(home):
        folder = folder_in_use(home)
        current = version_of(folder) if folder else None
        if folder and current == bundle.version and works(home / "versions" / folder):
            line = "{} is in use already: nothing changed".format(bundle.version)
            return {"current": current, "changed": False, "said": line}
        if not allow_downgrade and current != bundle.version:
            check_age(bundle, home)
        sweep(home)
        built, failures = build(bundle, home, starter)
        if failures:
            return _not_in_use(bundle.version, current, failures)
        previous = put_into_use(home, built)
        record_age(bundle, home)
    line = "{} is in use".format(bundle.version)
    return {"current": bundle.version, "previous": previous, "changed": True, "said": line}


def _not_in_use(version: str, current: Optional[str], failures: Sequence[str]) -> Report:
    """The report of a version that failed its checks."""
    line = "{} is not put into use: {}; {} stays".format(version, "; ".join(failures), current or "nothing")
    return {"current": current, "changed": False, "passed": False, "failures": failures, "said": line}


if __name__ == "__main__":
    sys.exit(run())
