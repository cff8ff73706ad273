"""The engines, a row each: what they run, how they load, where there are wheels of them.

This module imports no engine and no numpy. To add an engine, add a row to `ENGINES` and, unless it shares a class with
another, a module with a class that is an `edgecnn.interpreters.Engine`.
"""

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgecnn.errors import EdgecnnError

Version = tuple[int, ...]
MOST_THREADS = 1024  # for one inference
MOST_NATIVE_THREADS = 64  # of a library of generated C


@dataclass(frozen=True)
class EngineKind:
    """An engine: what it runs, what to install, and where its package index has wheels of it."""

    name: str  # also the name of the extra
    format: str  # of the files that it runs
    module: str  # to import for it
    loader: str  # MODULE:CLASS of an `Engine`, called with `module`, the model's path, its bytes, and threads
    package: str = ""  # in the package index; empty if edgecnn itself is enough
    requirements: tuple[str, ...] = ()  # as the extra has them
    glibc: Mapping[str, Version] = field(default_factory=dict)  # the least one, by machine: x86_64, aarch64, armv7l
    last_python: Version = (3, 14)  # the first is 3.10 for all
    automatic: bool = True  # whether `auto` may choose it; else it runs only if it is named
    tried_in_child: bool = True  # whether a child process opens a model before this process does
    most_threads: int = MOST_THREADS  # that share one inference
    companions: str = ""  # pattern of files beside a model that it needs; its class then says by `available(model)`

    @property
    def installed(self) -> bool:
        """Whether the engine's package can be found; it is not imported."""
        return importlib.util.find_spec(self.module.split(".")[0]) is not None

    @property
    def version(self) -> str | None:
        """The version of the installed package, or None."""
        from importlib import metadata  # slow to import, and seldom needed

        if not self.package:
            return None
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None

    def engine_class(self) -> Any:
        """The class that `loader` names; importing it does not import the engine's package."""
        module, _, name = self.loader.partition(":")
        return getattr(importlib.import_module(module), name)

    def runs(self, model: Path) -> bool:
        """Whether it is installed and finds what it needs beside a model of its format."""
        return self.installed and (not self.companions or self.engine_class().available(model))

    def thread_counts(self, counts: Iterable[int]) -> list[int]:
        """Those of the counts that it can use; a count above `most_threads` stands for `most_threads`."""
        return list(dict.fromkeys(min(count, self.most_threads) for count in counts))

    def no_wheel(self, machine: str, python: Version, libc: str, glibc: Version) -> str | None:
        """Why pip finds no wheel on such a Linux; None if it finds one.

        Args:
            machine: x86_64, aarch64, armv7l, ...
            python: major and minor.
            libc: `glibc`, `musl`, or another name.
            glibc: its version, if it is glibc.
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


# `auto` tries them in this order. tests/test_extras.py compares the wheels with the package index.
ENGINES = {
    kind.name: kind
    for kind in (
        EngineKind(
            name="litert",
            format="tflite",
            module="ai_edge_litert.interpreter",
            loader="edgecnn.tflite_engine:TfliteEngine",
            package="ai-edge-litert",
            requirements=("ai-edge-litert>=2.3",),
            glibc={"x86_64": (2, 34), "aarch64": (2, 34)},  # whatever the wheel's tag says
            last_python=(3, 14),
        ),
        EngineKind(
            name="tflite",
            format="tflite",
            module="tflite_runtime.interpreter",
            loader="edgecnn.tflite_engine:TfliteEngine",
            package="tflite-runtime",
            requirements=("tflite-runtime>=2.14", "numpy<2"),
            glibc={"x86_64": (2, 17), "aarch64": (2, 34), "armv7l": (2, 34)},
            last_python=(3, 11),
        ),
        EngineKind(
            name="onnx",
            format="onnx",
            module="onnxruntime",
            loader="edgecnn.onnx_engine:OnnxEngine",
            package="onnxruntime",
            requirements=("onnxruntime>=1.23",),
            glibc={"x86_64": (2, 28), "aarch64": (2, 28)},
            last_python=(3, 14),
        ),
        EngineKind(
            name="native",
            format="tflite",
            module="edgecnn.native_engine",
            loader="edgecnn.native_engine:NativeEngine",
            automatic=False,
            tried_in_child=False,  # a library does whatever its builder wants, in a child process too
            most_threads=MOST_NATIVE_THREADS,
            companions="*.native.json",
        ),
    )
}


def engine_names() -> str:
    """The engines' names, for people."""
    return ", ".join(ENGINES)


def packaged() -> list[EngineKind]:
    """The engines that a package index has."""
    return [kind for kind in ENGINES.values() if kind.package]


def engines_for(model_format: str, source: str) -> list[str]:
    """The installed engines from which `auto` chooses for files of a format, best first.

    Args:
        model_format: `tflite`, `onnx`, ...
        source: the file, for an error's line.

    Raises:
        EdgecnnError: no engine runs the format, or none that does is installed.
    """
    able = [kind for kind in ENGINES.values() if kind.format == model_format and kind.automatic]
    if not able:
        raise EdgecnnError(f"{source} is a {model_format} model, for training: convert it (python -m convert.tflite)")
    installed = [kind.name for kind in able if kind.installed]
    if not installed:
        packages = " or ".join(kind.package for kind in able)
        raise EdgecnnError(
            f"no engine for {source} is installed: pip install {packages}; edgecnn doctor says which fits this machine"
        )
    return installed


def engines_of(path: Path, model_format: str) -> list[str]:
    """All engines that can run a model file here."""
    return [kind.name for kind in ENGINES.values() if kind.format == model_format and kind.runs(path)]
