"""The C compiler: `zig cc` of the package ziglang, which compiles for this machine and for others."""

import subprocess
import sys

from edgecnn.errors import EdgecnnError

COMPILER = (sys.executable, "-m", "ziglang", "cc")


def compile_c(*words: object, failure: str = "the compiler failed") -> None:
    """Run the compiler.

    Args:
        words: options, sources, and `-o` with the output.
        failure: begins the line of an error.

    Raises:
        EdgecnnError: the compiler is not installed, or fails; the line has its first error.
    """
    command = [*COMPILER, *map(str, words)]
    ended = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if "No module named ziglang" in ended.stderr:
        raise EdgecnnError("the compiler is not installed: pip install ziglang")
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if "error" in line] or ended.stderr.splitlines()
        raise EdgecnnError(f"{failure}: {lines[0][:300] if lines else ended.returncode}")
