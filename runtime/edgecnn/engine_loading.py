"""Load a model into an engine."""

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.engines import ENGINES, EngineKind, engine_names, engines_for
from edgecnn.errors import EdgecnnError, causes

if TYPE_CHECKING:
    from edgecnn.interpreters import Engine

# In an engine's error about an operator, or a version of one, that it lacks and another may have.
_LACKS = re.compile("builtin_code|builtin opcode|custom op|op version|not implemented|NOT_IMPLEMENTED", re.IGNORECASE)


def load_engine(name: str, data: bytes, model_format: str, source: str, threads: int) -> "tuple[str, Engine]":
    """Load a model into the engine called `name`, or for `auto` into the first installed one that runs it.

    Args:
        name: of an engine, or `auto`.
        data: the model.
        model_format: `tflite`, `onnx`, ...
        source: the path of the model's file.
        threads: threads for one inference.

    Returns:
        The engine's name and the engine.

    Raises:
        EdgecnnError: the engine is unknown, not installed, has no use for so many threads, or cannot run this file.
    """
    if threads < 1:
        raise EdgecnnError(f"threads is {threads}: give 1 or more")
    names = engines_for(model_format, source) if name == "auto" else [_named(name, model_format, source, threads).name]
    reasons = []
    for candidate in names:
        kind = ENGINES[candidate]
        try:
            importlib.import_module(kind.module)
        except Exception as error:  # engines raise whatever they like
            reasons.append(_reason(candidate, error))
            continue
        try:
            return candidate, kind.engine_class()(kind.module, Path(source), data, threads)
        except Exception as error:
            reasons.append(_reason(candidate, error))
            if not _LACKS.search(str(error)):  # the file is malformed: the next engine may die of it
                break
    raise EdgecnnError(f"{source} cannot be run ({'; '.join(reasons)}){_others(names, model_format)}")


def _named(name: str, model_format: str, source: str, threads: int) -> EngineKind:
    """The engine of a name.

    Raises:
        EdgecnnError: it is unknown, not installed, runs other files, or has no use for so many threads.
    """
    if name not in ENGINES:
        raise EdgecnnError(f"there is no engine {name!r}: choose auto, {engine_names()}")
    kind = ENGINES[name]
    if kind.format != model_format:
        able = [other.name for other in ENGINES.values() if other.format == model_format and other.automatic]
        cure = f"use {' or '.join(able)}" if able else "convert it first (python -m convert.tflite)"
        raise EdgecnnError(f"engine {name!r} runs .{kind.format} files, and {source} is {model_format}: {cure}")
    if not kind.installed:
        raise EdgecnnError(f"engine {name!r} is not installed: pip install {kind.package} (the extra '{name}')")
    if threads > kind.most_threads:
        raise EdgecnnError(f"threads is {threads}: engine {name!r} takes {kind.most_threads} at most")
    return kind


def _reason(engine: str, error: Exception) -> str:
    """The first cause of an engine's error, in a line."""
    if isinstance(error, EdgecnnError):
        return f"{engine}: {error}"
    *_, cause = causes(error)
    return f"{engine}: {str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__}"


def _others(tried: list[str], model_format: str) -> str:
    """A hint at the engines that were not tried."""
    others = [
        kind.name
        for kind in ENGINES.values()
        if kind.format == model_format and kind.automatic and kind.name not in tried
    ]
    return f"; engines that may: {', '.join(others)}" if others else ""
