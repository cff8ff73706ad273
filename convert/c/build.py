"""Libraries and programs for other machines, compiled from C by the package `ziglang`.

A target is `linux-MACHINE`, for glibc 2.17 and later (RISC-V: 2.27), or `linux-MACHINE-musl`. The program is static, so
that it runs on both; the library is for Python there.
"""

import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgecnn.errors import EdgecnnError
from edgecnn.native_description import target as this_machine
from workstation.compiler import compile_c

HOST = "host"
_ARMV7 = ("-mcpu=generic+v7a+neon", "-Wl,-z,max-page-size=4096")
_MACHINES = {  # zig's triple for glibc, for musl, and more options
    "x86_64": ("x86_64-linux-gnu.2.17", "x86_64-linux-musl", ()),
    # Scheduled for the in-order core, which needs it most; it also takes the fewest instructions on the others.
    "aarch64": ("aarch64-linux-gnu.2.17", "aarch64-linux-musl", ("-mtune=cortex_a53", "-Wl,-z,max-page-size=16384")),
    "armv7": ("arm-linux-gnueabihf.2.17", "arm-linux-musleabihf", _ARMV7),
    "riscv64": ("riscv64-linux-gnu.2.27", "riscv64-linux-musl", ()),
}
TARGETS = [f"linux-{machine}{libc}" for machine in _MACHINES for libc in ("", "-musl")]
# Products and sums are not contracted to one rounding: TFLite does not either.
FLAGS = ("-std=c11", "-O2", "-ffp-contract=off", "-fno-sanitize=undefined", "-Wall", "-Wextra", "-Werror", "-s")

_NO_TABLES = ("-fno-asynchronous-unwind-tables", "-fno-unwind-tables")  # for exceptions, which C has not
_LIBRARY = ("-DEDGECNN_POOL", "-D_POSIX_C_SOURCE=200809L", "-pthread", "-shared", "-fPIC", *_NO_TABLES)


@dataclass(frozen=True)
class Built:
    """What one target needs: a shared library and a static program."""

    target: str
    library: bytes
    program: bytes


def resolved(names: list[str]) -> list[str]:
    """Targets by their names, `host` being this machine.

    Raises:
        EdgecnnError: there is no such target.
    """
    targets = list(dict.fromkeys(this_machine() if name == HOST else name for name in names))
    if strange := [name for name in targets if name not in TARGETS]:
        raise EdgecnnError(f"there is no target {', '.join(strange)}: choose {HOST}, {', '.join(TARGETS)}")
    return targets


def build(texts: Mapping[str, str], stem: str, targets: list[str]) -> list[Built]:
    """Compile for each target.

    Args:
        texts: the files by their names.
        stem: what they have in common: STEM.c, STEM.h, STEM_main.c.
        targets: of `TARGETS`.

    Raises:
        EdgecnnError: the compiler is not installed, or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(partial(_one, Path(folder), stem), targets))


def compile_here(source: Path, library: Path, *more: str) -> None:
    """Compile a library for this machine.

    Raises:
        EdgecnnError: there are no libraries for this machine, or the compiler is not installed, or fails.
    """
    (here,) = resolved([HOST])
    _compile_library(here, source, library, *more)


def _compile_library(target: str, source: Path, library: Path, *more: str) -> None:
    machine, _, libc = target.removeprefix("linux-").partition("-")
    glibc, musl, options = _MACHINES[machine]
    compile_for(musl if libc else glibc, [source], library, *options, *_LIBRARY, *more)


def _one(folder: Path, stem: str, target: str) -> Built:
    machine, _, _ = target.removeprefix("linux-").partition("-")
    _, musl, more = _MACHINES[machine]
    library, program = folder / f"{target}.so", folder / f"{target}.program"
    source = folder / f"{stem}.c"
    _compile_library(target, source, library)
    compile_for(musl, [source, folder / f"{stem}_main.c"], program, *more, "-static")
    return Built(target, library.read_bytes(), program.read_bytes())


def compile_for(triple: str, sources: list[Path], output: Path, *more: str) -> None:
    """Compile and link for one of zig's triples.

    Raises:
        EdgecnnError: the compiler is not installed, or fails.
    """
    words = ("-target", triple, *FLAGS, *more, *sources, "-o", output)
    compile_c(*words, failure=f"the compiler failed for {triple}")
