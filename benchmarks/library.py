"""The library and the program that `python -m convert.c --build` left beside a model, for this machine."""

from dataclasses import dataclass
from pathlib import Path

from edgecnn.bounds import parsed, text, whole
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.native_description import description_file, target

_CURE = "python -m convert.c --build host"


@dataclass(frozen=True)
class Library:
    """A model's C, compiled."""

    symbol: str  # prefix of its functions
    path: Path  # the shared library
    program: Path  # the static program around it
    macs: int  # multiply-accumulates of a call
    arena: int  # bytes


def library_of(model: Path) -> Library:
    """The library of a model for this machine.

    Raises:
        EdgecnnError: there is none, or its description cannot be read.
    """
    path = description_file(model)
    if not path.exists():
        raise EdgecnnError(f"{model} has no libraries: {_CURE}")
    try:
        document = parsed(read_file(path))
        entry = document["libraries"].get(target())
        if entry is None:
            raise EdgecnnError(f"{model} has no library for {target()}: {_CURE}")
        return Library(
            symbol=text(document["symbol"]),
            path=model.with_name(text(entry["file"])).resolve(),
            program=model.with_name(text(entry["program"])).resolve(),
            macs=whole(document["multiply_accumulates"], least=1),
            arena=whole(document["arena"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EdgecnnError(f"{path} cannot be read ({error}): {_CURE}") from None
