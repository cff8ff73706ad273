"""This CPU's peak of multiply-accumulates, by a loop of its best instruction: peak.c, compiled by ziglang."""

import tempfile
from pathlib import Path

from edgecnn.programs import run_program
from workstation.compiler import compile_c

_SOURCE = Path(__file__).with_name("peak.c")


def peaks() -> dict[str, float]:
    """Multiply-accumulates a nanosecond, by type (int8, float32); without those that peak.c has no loop for here.

    Raises:
        EdgecnnError: the loop cannot be compiled.
    """
    with tempfile.TemporaryDirectory() as folder:
        return measured(compiled(Path(folder) / "peak"))


def compiled(output: Path, source: Path = _SOURCE, *options: str) -> Path:
    """Compile C for this machine: the loops into a program, if no other source is named.

    Raises:
        EdgecnnError: the compiler fails.
    """
    compile_c("-std=c11", "-O2", *options, source, "-o", output, failure=f"{source.name} cannot be compiled")
    return output


def measured(program: Path) -> dict[str, float]:
    """Run the program once.

    Raises:
        EdgecnnError: it failed.
    """
    return {name: float(value) for name, value in (line.split() for line in run_program(program).stdout.splitlines())}
