"""Compile the C of a model for microcontrollers, print its size, and run its golden test on an emulated Cortex-M4.

NAME.c, NAME.h and NAME_test.c are those of `python -m convert.c`. They are compiled with -Os -ffreestanding for a
Cortex-M4 with a floating-point unit and for 32-bit RISC-V without one; sizes are of NAME.c alone: code and constants in
flash, the arena in RAM, which takes the stack too. The board is QEMU's mps2-an386 (Debian's qemu-system-arm).

Example:
  python -m benchmarks.micro artifacts/mnist/model_int8.c --json
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.elf import flash_and_ram
from benchmarks.provenance import provenance
from edgecnn.command import GATE_FAILED, OK, command, command_parser, print_json, progress, table
from edgecnn.errors import EdgecnnError
from workstation.compiler import compile_c

TARGETS = {
    "Cortex-M4F": ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4+vfp4d16sp"),
    "RV32IMC": ("-target", "riscv32-freestanding", "-mcpu=generic_rv32+m+c"),
}
FLAGS = ("-std=c11", "-Os", "-ffreestanding", "-ffp-contract=off", "-fno-unwind-tables", "-fno-sanitize=undefined")
_EMULATOR = ("qemu-system-arm", "-M", "mps2-an386", "-nographic", "-semihosting", "-kernel")
_HERE = Path(__file__).parent
_SECONDS = 120  # that the golden test may take


@command
def main(argv: Sequence[str] | None = None) -> int:
    """The command `python -m benchmarks.micro`: `GATE_FAILED` where the golden test fails."""
    parser = command_parser("python -m benchmarks.micro", __doc__)
    parser.add_argument("source", type=Path, metavar="NAME.c", help="written by python -m convert.c")
    options = parser.parse_args(argv)
    for path in (options.source, test_of(options.source)):
        if not path.exists():
            raise EdgecnnError(f"{path} is not there: python -m convert.c writes it")
    sizes = {name: size(options.source, aimed) for name, aimed in TARGETS.items()}
    test = test_of(options.source)
    outcome = golden(_name(test), [options.source, test])
    progress("")
    if options.json:
        rows = {name: {"flash": flash, "ram": ram} for name, (flash, ram) in sizes.items()}
        print_json({"sizes": rows, "board": _EMULATOR[2], "golden": outcome} | provenance())
    else:
        cells = [(name, f"{flash:,}", f"{ram:,}") for name, (flash, ram) in sizes.items()]
        print(table(("target", "flash, bytes", "RAM, bytes"), cells))
        print(f"\n{_EMULATOR[2]}: {outcome}")
    return OK if outcome.endswith("passed") else GATE_FAILED


def test_of(source: Path) -> Path:
    """The golden test beside a network's C."""
    return source.with_name(f"{source.stem}_test.c")


def _name(test: Path) -> str:
    """The name of a network in C, from its golden test.

    Raises:
        EdgecnnError: it is none.
    """
    match = re.search(r"^int (\w+)_test\(void\)", test.read_text(encoding="utf-8"), re.MULTILINE)
    if not match:
        raise EdgecnnError(f"{test} is no golden test: python -m convert.c writes it")
    return match[1]


def size(source: Path, aimed: Sequence[str]) -> tuple[int, int]:
    """Bytes of flash (code and constants) and of RAM (variables) that a compiled file takes."""
    progress(f"compiling for {aimed[1]}")
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "network.o"
        compile_c(*aimed, *FLAGS, "-c", source, "-o", output)
        return flash_and_ram(output.read_bytes())


def golden(name: str, sources: Sequence[Path]) -> str:
    """Run a golden test on the emulated board, and return what it prints.

    Args:
        name: of the network; the test is NAME_test.
        sources: the files to compile.

    Raises:
        EdgecnnError: the emulator is not installed.
    """
    if not shutil.which(_EMULATOR[0]):
        raise EdgecnnError(f"{_EMULATOR[0]} is not here: apt-get install qemu-system-arm")
    progress("running the golden test")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "golden.elf"
        more = ("-DEDGECNN_NO_STDIO", f"-DGOLDEN_TEST={name}_test", "-T", _HERE / "cortex_m.ld", "-o", program)
        compile_c(*TARGETS["Cortex-M4F"], *FLAGS, _HERE / "cortex_m.c", *sources, *more)
        try:
            ended = subprocess.run(
                [*_EMULATOR, program],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return f"no answer in {_SECONDS} s"
    return (ended.stdout + ended.stderr).strip() or f"exit status {ended.returncode}"


if __name__ == "__main__":
    sys.exit(main())
