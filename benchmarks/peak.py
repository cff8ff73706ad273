"""This CPU's peak of multiply-accumulates, by a loop of its best instruction: peak.c, compiled by ziglang."""

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.programs import output_of
from edgecnn.command import OK
from edgecnn.errors import EdgecnnError

_SOURCE = Path(__file__).with_name("peak.c")


def peaks() -> dict[str, float]:
    """Multiply-accumulates a nanosecond, by type (int8, float32); without those that peak.c has no loop for here.

    Raises:
        EdgecnnError: the loop cannot be compiled.
    """
    with tempfile.TemporaryDirectory() as folder:
        return measured(compiled(Path(folder) / "peak"))


def compiled(output: Path) -> Path:
    """Compile the loops into a program."""
    words = [sys.executable, "-m", "ziglang", "cc", "-std=c11", "-O2", _SOURCE, "-o", output]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode != OK:
        raise EdgecnnError(f"benchmarks/peak.c cannot be compiled: {' '.join(done.stderr.split())[:200]}")
    return output


def measured(program: Path) -> dict[str, float]:
    """Run the program once.

    Raises:
        EdgecnnError: it failed.
    """
    return {name: float(value) for name, value in (line.split() for line in output_of(program).splitlines())}
