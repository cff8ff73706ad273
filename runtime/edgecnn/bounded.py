"""Dataclasses with bounded fields, so that every file that is written can be read; and their reader from JSON."""

import dataclasses
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from edgecnn import bounds
from edgecnn.errors import EdgecnnError

_SHA256 = frozenset("0123456789abcdef")

_T = TypeVar("_T")


class Bounded:
    """The base of such a dataclass: it checks every field when it is created."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            _check(getattr(self, field.name), field.name)


def _check(value: Any, name: str) -> None:
    """Check a value of any of the types that a manifest has.

    Raises:
        EdgecnnError: it is beyond the bounds of `edgecnn.bounds`.
    """
    if isinstance(value, str):
        bounds.text(value, name)
        if name.endswith("sha256") and not (len(value) == 64 and _SHA256.issuperset(value)):
            raise EdgecnnError(f"{name} is {bounds.short(value)}, no SHA-256")
    elif isinstance(value, float):
        bounds.number(value, name)
    elif isinstance(value, int) and not isinstance(value, bool):
        bounds.whole(value, name)
    elif isinstance(value, (tuple, dict)):
        for item in bounds.items(value, name):
            _check(item, name)
        for item in value.values() if isinstance(value, dict) else ():
            _check(item, name)


def from_json_value(kind: type[_T], value: Any) -> _T:
    """Build a value of the annotated type `kind` from what JSON gave."""
    if isinstance(kind, UnionType):  # every union here is `X | None`
        return value if value is None else from_json_value(get_args(kind)[0], value)
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        fields = {name: item for name, item in value.items() if name not in getattr(kind, "dropped", ())}
        if unknown := [name for name in fields if name not in hints]:
            raise EdgecnnError(f"{bounds.short(unknown[0])} is no field of it")
        return kind(**{name: from_json_value(hints[name], item) for name, item in fields.items()})
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(from_json_value(get_args(kind)[0], item) for item in value)  # type: ignore[return-value]
    if get_origin(kind) is dict:
        return {str(name): from_json_value(get_args(kind)[1], item) for name, item in value.items()}  # type: ignore[return-value]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)  # type: ignore[return-value]
    if type(value) is not kind:
        raise TypeError(f"{bounds.short(value)} is not of type {getattr(kind, '__name__', kind)}")
    return value
