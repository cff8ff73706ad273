"""Whether this device takes a bundle: its Python and machine, the bundle's dates, and the room on the disk."""

# Python 3.7 reads this too, to say that it is too old.
import importlib.util
import shutil
import time
from pathlib import Path

from deploy import machine
from deploy.bundlefile import Bundle
from deploy.disk import write
from deploy.index import InstallError

_FLOOR = "floor"  # holds when the last signed bundle that was put into use was made, in seconds since 1970
_SPARE = 20_000_000  # bytes to leave on the disk


def check_device(bundle: Bundle) -> None:
    """Check that this Python can run what the bundle holds.

    Raises:
        InstallError: the bundle is for another Python or machine, or a package of the system is missing.
    """
    wanted, here = bundle.index["device"], machine.description()
    if wanted != here:
        devices = ["Python {python} on {machine}".format(**device) for device in (wanted, here)]
        raise InstallError("{} is for {}, and this is {}: make one for it with --target".format(bundle.path, *devices))
    for module, package in bundle.index.get("needs", {}).items():
        if importlib.util.find_spec(module) is None:
            raise InstallError("{} is missing, which has no wheels for this system: apt-get install {}".format(
                module, package))  # fmt: skip


def check_date(bundle: Bundle, home: Path) -> None:
    """Check that the bundle has not expired; a clock that was never set is no earlier than the last bundle.

    Raises:
        InstallError: it has.
    """
    today = time.strftime("%Y-%m-%d", time.gmtime(max(time.time(), _floor(home))))
    expires = bundle.index.get("expires", today)
    if today > expires:
        raise InstallError("{} expired on {}, and today is {}: make it anew".format(bundle.path, expires, today))


def check_age(bundle: Bundle, home: Path) -> None:
    """Check that a signed bundle is no older than the last one: an old one may bring back faults that were fixed.

    Raises:
        InstallError: it is older.
    """
    date, floor = bundle.index.get("made", 0), _floor(home)
    if bundle.signed and date < floor:
        times = [time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)) for seconds in (date, floor)]
        raise InstallError(
            "{} was made {} UTC, and the last one here {}: --allow-downgrade accepts an older one".format(
                bundle.path, *times
            )
        )


def record_age(bundle: Bundle, home: Path) -> None:
    """Refuse from now on signed bundles that are older than this one."""
    if bundle.signed and "made" in bundle.index:
        write(home / _FLOOR, str(bundle.index["made"]))


def _floor(home: Path) -> int:
    try:
        return min(int((home / _FLOOR).read_text()), 10**10)
    except FileNotFoundError:
        return 0
    except ValueError:
        raise InstallError("{} is damaged: remove it, and no bundle is too old".format(home / _FLOOR)) from None


def check_room(bundle: Bundle, home: Path) -> None:
    """Check that the disk has room for the bundle's files and for what they unpack to.

    Raises:
        InstallError: it has not.
    """
    place = home
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(str(place)).free, bundle.size + bundle.index["unpacked"] + _SPARE
    if free < needed:
        raise InstallError(
            "the disk has {:.0f} MB left at {}, {:.0f} are needed: make room".format(free / 1e6, place, needed / 1e6)
        )
