"""The engines that edgecnn knows: what they run, where there are wheels of them. Imports none of them, nor numpy."""

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecnn.errors import EdgecnnError, causes

if TYPE_CHECKING:
    from edgecnn.interpreters import Engine

Version = tuple[int, ...]
# What an engine says of an operator, or of a version of one, that it lacks and another may have.
_LACKS = re.compile("builtin_code|builtin opcode|custom op|op version|not implemented|NOT_IMPLEMENTED", re.IGNORECASE)
NATIVE = "native"  # no package: a library beside the model, see edgecnn.native; taken only where it is asked for


@dataclass(frozen=True)
class EngineKind:
    """An engine that edgecnn knows: what it runs, what to install, and where its package index has wheels for it."""

    name: str  # also the name of the extra
    format: str
    module: str
    package: str
    requirements: tuple[str, ...]  # as the extra has them
    glibc: Mapping[str, Version]  # the least one, by machine: x86_64, aarch64, armv7l
    last_python: Version  # the first is 3.10 for all

    @property
    def installed(self) -> bool:
        """Whether the engine's package can be found; it is not imported."""
        return importlib.util.find_spec(self.module.split(".")[0]) is not None

    @property
    def version(self) -> str | None:
        """The version of the package that is installed; None where none is."""
        from importlib import metadata  # slow to import, and seldom asked for

        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None

    def no_wheel(self, machine: str, python: Version, libc: str, glibc: Version) -> str | None:
        """Why pip finds nothing to install on such a Linux; None where it does.

        Args:
            machine: x86_64, aarch64, armv7l, ...
            python: major and minor.
            libc: `glibc`, `musl`, or what it calls itself.
            glibc: its version, where it is glibc.
        """
        if machine not in self.glibc:
            return f"has no wheel for {machine}"
        if python > self.last_python:
            return f"has no wheel for Python {_dotted(python)}; its last is for {_dotted(self.last_python)}"
        if libc != "glibc":
            return f"has wheels for glibc alone, and this is {libc or 'another libc'}"
        if glibc < self.glibc[machine]:
            return f"needs glibc {_dotted(self.glibc[machine])}, and this is {_dotted(glibc)}"
        return None


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


# In the order in which `auto` tries them. tests/test_extras.py compares the wheels with the package index.
ENGINES = {
    kind.name: kind
    for kind in (
        EngineKind(
            name="litert",
            format="tflite",
            module="ai_edge_litert.interpreter",
            package="ai-edge-litert",
            requirements=("ai-edge-litert>=2.3",),
            glibc={"x86_64": (2, 34), "aarch64": (2, 34)},  # whatever the wheel's tag says
            last_python=(3, 14),
        ),
        EngineKind(
            name="tflite",
            format="tflite",
            module="tflite_runtime.interpreter",
            package="tflite-runtime",
            requirements=("tflite-runtime>=2.14", "numpy<2"),
            glibc={"x86_64": (2, 17), "aarch64": (2, 34), "armv7l": (2, 34)},
            last_python=(3, 11),
        ),
        EngineKind(
            name="onnx",
            format="onnx",
            module="onnxruntime",
            package="onnxruntime",
            requirements=("onnxruntime>=1.23",),
            glibc={"x86_64": (2, 28), "aarch64": (2, 28)},
            last_python=(3, 14),
        ),
    )
}


def engines_for(model_format: str, source: str) -> list[str]:
    """Names of the installed engines that run files of this format, best first.

    Raises:
        EdgecnnError: no engine runs the format, or none that does is installed.
    """
    able = [kind for kind in ENGINES.values() if kind.format == model_format]
    if not able:
        raise EdgecnnError(f"{source} is a {model_format} model, for training: convert it (python -m convert.tflite)")
    installed = [kind.name for kind in able if kind.installed]
    if not installed:
        packages = " or ".join(kind.package for kind in able)
        raise EdgecnnError(
            f"no engine for {source} is installed: pip install {packages}; edgecnn doctor says which fits this machine"
        )
    return installed


def load_engine(name: str, data: bytes, model_format: str, source: str, threads: int) -> "tuple[str, Engine]":
    """Load a model into the engine called `name`, or for `auto` into the first installed one that runs it.

    Returns:
        The engine's name and the engine.

    Raises:
        EdgecnnError: the engine is unknown, not installed, or cannot run this file.
    """
    from edgecnn.interpreters import LOADERS

    if threads < 1:
        raise EdgecnnError(f"threads is {threads}: give 1 or more")
    if name == NATIVE:
        from edgecnn.native import NativeEngine

        return name, NativeEngine(Path(source), data, threads)
    names = engines_for(model_format, source) if name == "auto" else [_chosen(name, model_format, source).name]
    reasons = []
    for each in names:
        try:
            importlib.import_module(ENGINES[each].module)
        except Exception as error:  # engines raise whatever they like
            reasons.append(_reason(each, error))
            continue
        try:
            return each, LOADERS[model_format](ENGINES[each].module, data, threads)
        except Exception as error:
            reasons.append(_reason(each, error))
            if not _LACKS.search(str(error)):  # the file is malformed: the next engine may die of it
                break
    others = [kind.name for kind in ENGINES.values() if kind.format == model_format and kind.name not in names]
    hint = f"; engines that may: {', '.join(others)}" if others else ""
    raise EdgecnnError(f"{source} cannot be run ({'; '.join(reasons)}){hint}")


def _reason(engine: str, error: Exception) -> str:
    """The first cause of what an engine said, in a line."""
    *_, cause = causes(error)
    return f"{engine}: {str(cause).splitlines()[0][:200] if str(cause) else type(cause).__name__}"


def named() -> str:
    """The engines' names, for people."""
    return ", ".join([*ENGINES, NATIVE])


def engines_of(path: Path, model_format: str) -> list[str]:
    """Names of the engines here that run a model file; `native` last, if a library for this machine lies beside it."""
    from edgecnn.native import available

    installed = [kind.name for kind in ENGINES.values() if kind.format == model_format and kind.installed]
    return [*installed, NATIVE] if model_format == "tflite" and available(path) else installed


def _chosen(name: str, model_format: str, source: str) -> EngineKind:
    if name not in ENGINES:
        raise EdgecnnError(f"there is no engine {name!r}: choose auto, {named()}")
    kind = ENGINES[name]
    if kind.format != model_format:
        able = [each.name for each in ENGINES.values() if each.format == model_format]
        cure = f"use {' or '.join(able)}" if able else "convert it first (python -m convert.tflite)"
        raise EdgecnnError(f"engine {name!r} runs .{kind.format} files, and {source} is {model_format}: {cure}")
    if not kind.installed:
        raise EdgecnnError(f"engine {name!r} is not installed: pip install {kind.package} (the extra '{name}')")
    return kind
