"""Compile a network's C for a microcontroller, run it under QEMU, and count."""

import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.elf import flash_and_ram
from benchmarks.micro.cpus import ARM, Memory, Micro, missing
from edgecnn.errors import EdgecnnError
from edgecnn.files import read_file
from edgecnn.programs import run_program
from workstation.compiler import COMPILER

LEVELS = ("-Os", "-O3")
GCC, CLANG = "gcc", "clang"
_FLAGS = ("-std=c11", "-ffreestanding", "-ffunction-sections", "-fdata-sections")
_CLANG = ("-fno-unwind-tables", "-fno-sanitize=undefined", "-Wno-unknown-attributes")
_HERE = Path(__file__).parent
_PLUGIN = _HERE.with_name("instructions.c")


@dataclass(frozen=True)
class Figures:
    """Of a network on a microcontroller."""

    wrong: int  # outputs of the golden test
    instructions: int  # of an inference, from raw pixels to the label
    flash: int  # bytes of code and constants
    ram: int  # bytes of variables
    stack: int  # bytes


def measured(source: Path, micro: Micro, level: str, compiler: str = GCC) -> Figures:
    """Compile and run NAME.c.

    Args:
        source: NAME.c, with NAME.h and NAME_test.c beside it.
        micro: the microcontroller.
        level: the compiler's option of optimization.
        compiler: `GCC` or `CLANG`.

    Raises:
        EdgecnnError: a compiler or the emulator is missing or fails, or NAME_test.c is no golden test.
    """
    test = test_of(source)
    name, header = name_of(test), _text(source.with_suffix(".h"))
    size = re.search(r"_INPUT_SIZE = (\d+)", header)
    if not size:
        raise EdgecnnError(f"{source.with_suffix('.h')} tells no size of inputs: python -m convert.c writes it")
    defined = (f"-DTEST={name}_test", f"-DCLASSIFY={name}_classify", f"-DPIXELS={size[1]}")
    with tempfile.TemporaryDirectory() as folder:
        counts, network = Path(folder) / "counts", Path(folder) / "network.o"
        _compile(micro, compiler, level, "-c", source, "-o", network)
        printed = _run(micro, compiler, level, [network, test], defined, Path(folder), counts)
        marks = [int(line) for line in counts.read_text().split()]
        flash, ram = flash_and_ram(network.read_bytes())
    return Figures(printed["wrong"], marks[1] - marks[0], flash, ram, printed["stack"])


def golden(name: str, sources: Sequence[Path], micro: Micro, level: str = "-Os", compiler: str = GCC) -> int:
    """How many outputs of a golden test are wrong on a microcontroller.

    Args:
        name: the test is NAME_test.
        sources: the files to compile.
        micro: the microcontroller.
        level: the compiler's option of optimization.
        compiler: `GCC` or `CLANG`.

    Raises:
        EdgecnnError: a compiler or the emulator is missing or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _run(micro, compiler, level, sources, (f"-DTEST={name}_test",), Path(folder), None)["wrong"]


def test_of(source: Path) -> Path:
    """The golden test beside a network's C."""
    return source.with_name(f"{source.stem}_test.c")


def name_of(test: Path) -> str:
    """The name of a network in C, from its golden test.

    Raises:
        EdgecnnError: it is none.
    """
    match = re.search(r"^int (\w+)_test\(void\)", _text(test), re.MULTILINE)
    if not match:
        raise EdgecnnError(f"{test} is no golden test: python -m convert.c writes it")
    return match[1]


def _text(source: Path) -> str:
    """A file of a network's C, which may be anything."""
    return read_file(source).decode(errors="replace")


def _run(
    micro: Micro,
    compiler: str,
    level: str,
    sources: Sequence[Path],
    defined: Sequence[str],
    folder: Path,
    counts: Path | None,
) -> dict[str, int]:
    """Link with the start of the emulated machine, run, and return the numbers that it says."""
    program = folder / "program.elf"
    script: tuple[object, ...] = ("-Wl,--no-relax",) if compiler == GCC else ()
    if micro.memory:
        regions = folder / "memory.ld"
        regions.write_text(_regions(micro.memory), encoding="utf-8")
        script = ("-T", regions)
    libraries = ("-nostdlib", "-lgcc") if compiler == GCC else ("-g",)  # else zig leaves the symbol `mark` out
    words = (_HERE / "measure.c", *sources, "-DEDGECNN_NO_STDIO", *defined, *script, "-o", program)
    _compile(micro, compiler, level, *words, *libraries)
    if not shutil.which(micro.emulator[0]):
        raise missing(micro.emulator[0])
    plugin = ("-plugin", f"file={_plugin(folder)},out={counts}") if counts else ()
    last = ("-kernel", program) if micro.compiler == ARM else (program,)
    said = run_program(*micro.emulator, *plugin, *last, fine=(0, 1), timeout=600, stdin=-3)
    lines = (said.stdout + said.stderr).split("\n")
    numbers = {name: int(number) for name, _, number in (line.partition(" ") for line in lines) if number.isdigit()}
    if "wrong" not in numbers:
        raise EdgecnnError(f"{micro.emulator[0]} ended before the golden test: {' '.join(lines)[:200]}")
    return numbers


def _regions(memory: Memory) -> str:
    """The linker's script of a machine."""
    flash, ram = (f"ORIGIN = {begin}, LENGTH = {size}" for begin, size in (memory.flash, memory.ram))
    vectors = f"VECTORS (rx) : ORIGIN = {memory.vectors}, LENGTH = 1K"
    layout = (_HERE / "cortex_m.ld").read_text(encoding="utf-8")
    return f"MEMORY {{ {vectors}  FLASH (rx) : {flash}  RAM (rwx) : {ram} }}\n{layout}"


def _compile(micro: Micro, compiler: str, level: str, *words: object) -> None:
    if compiler == CLANG:
        run_program(*COMPILER, *micro.clang, *_FLAGS, *_CLANG, level, *words, failure=f"clang for {micro.title}")
        return
    if not shutil.which(micro.compiler):
        raise missing(micro.compiler)
    run_program(micro.compiler, *micro.gcc, *_FLAGS, level, *words, failure=f"{micro.compiler} for {micro.title}")


def _plugin(folder: Path) -> Path:
    plugin = folder / "instructions.so"
    run_program("cc", "-O2", "-shared", "-fPIC", "-o", plugin, _PLUGIN)
    return plugin
