"""The index of a bundle: what its members are called, and what its index must say to be believed.

A bundle may come from anybody: every type and bound that a reader of the index relies on is checked here.
"""

# Python 3.7 reads this too, to say that it is too old.
import json
import re
from pathlib import Path
from typing import Any, Dict

SCHEMA = 1
INDEX, SIGNATURE = "index.json", "index.json.sig"
PROGRAM, PACKAGE, MODELS, WHEELS = "__main__.py", "deploy", "models", "wheels"  # what lies in a bundle
_MOST_WORD = 200  # characters of a text, and bytes of a file's name
_MOST_SIZE, _MOST_TIME = 10**18, 10**10  # bytes; seconds since 1970
_TYPES = {
    "schema": int, "name": str, "version": str, "target": str, "device": dict, "engines": list, "models": list,
    "offline": bool, "system_site_packages": bool, "unpacked": int, "files": dict,
}  # fmt: skip
_OPTIONAL = {"made": int, "expires": str, "needs": dict, "labelled": bool}

Index = Dict[str, Any]


class InstallError(Exception):
    """What the user can mend, in one line."""


def no_bundle(path: Path, why: object) -> InstallError:
    """The error for a file that is no bundle."""
    return InstallError("{} is no bundle of edgecnn ({}): python -m deploy.bundle makes one".format(path, why))


def read_index(path: Path, text: bytes) -> Index:
    """Parse the index of the bundle at `path`.

    Raises:
        InstallError: it is not of the types and within the bounds that its readers rely on.
    """
    index = _parsed(path, text)
    if index["schema"] != SCHEMA:
        raise InstallError("{} is of schema {}, {} wanted: update edgecnn".format(path, index["schema"], SCHEMA))
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,99}", index["version"]):
        raise InstallError("{} names a version that is no folder's name: {!r}".format(path, index["version"]))
    if not (_has_plain_texts(index) and _is_within_bounds(index) and _is_consistent(index)):
        raise no_bundle(path, "its index contradicts itself")
    return index


def _parsed(path: Path, text: bytes) -> Index:
    """The index as a dictionary with the right keys, each of the right type."""
    try:
        index: Index = json.loads(text.decode())
        types = dict(_TYPES, **{name: kind for name, kind in _OPTIONAL.items() if name in index})
        wrong = [name for name, kind in types.items() if type(index[name]) is not kind] or set(index) - set(types)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise no_bundle(path, "its index cannot be read: {!r}".format(error)[:200]) from None
    if wrong:
        raise no_bundle(path, "its index has a wrong {}".format(", ".join(map(repr, wrong))))
    return index


def _has_plain_texts(index: Index) -> bool:
    """Whether every text is a printable string of bounded length."""
    texts = [*index["engines"], *index["models"], *index["files"].values(), *index["device"].values()]
    texts += [index["name"], index["target"], *index.get("needs", {}).values()]
    return all(type(text) is str and text.isprintable() and len(text) <= _MOST_WORD for text in texts)


def _is_within_bounds(index: Index) -> bool:
    return (
        0 <= index["unpacked"] < _MOST_SIZE
        and 0 <= index.get("made", 0) < _MOST_TIME
        and re.fullmatch(r"\d{4}-\d\d-\d\d", index.get("expires", "2000-01-01")) is not None
        and all(re.fullmatch("[A-Za-z0-9_]+", module) for module in index.get("needs", {}))
    )


def _is_consistent(index: Index) -> bool:
    """Whether the models are different files that the bundle holds, and the device is described."""
    files = {"{}/{}".format(MODELS, name) for name in index["models"]}
    return (
        set(index["device"]) == {"python", "machine"}
        and 0 < len(index["models"]) == len(files)
        and files <= set(index["files"])
    )


def is_plain(name: str) -> bool:
    """Whether a text is a file's name and nothing else: in no other folder, not hidden, of printable characters."""
    plain = name.isprintable() and not set(name) & set("/\\:") and not name.startswith((".", "-"))
    return plain and 0 < len(name.encode("utf-8", "replace")) <= _MOST_WORD


def is_member(name: str) -> bool:
    """Whether a bundle may have a member of this name."""
    folder, _, last = name.rpartition("/")
    return name in (INDEX, SIGNATURE, PROGRAM) or (folder in (PACKAGE, MODELS, WHEELS) and is_plain(last))
