"""This CPU as an older one with AVX2 and nothing newer: so `native` and LiteRT compute as there, timed here.

Both ask the CPU what it has by the instruction cpuid. Their libraries are loaded, then that instruction is replaced in
memory, and a handler of the signal that follows answers without AVX-512, AVX-VNNI and AMX (older_cpu.c).
"""

import ctypes
import importlib
import re
from pathlib import Path

from benchmarks.library import library_of
from benchmarks.peak import compiled
from benchmarks.suite.build import HOME, OURS, key, once
from edgecnn.classifier import Classifier
from edgecnn.engines import ENGINES
from edgecnn.errors import EdgecnnError
from edgecnn.programs import run_program

ENGINES_SHOWN = (OURS, "litert")  # others ask while they are loaded
_SOURCE = Path(__file__).with_name("older_cpu.c")
_QUESTION = re.compile(r"^\s*([0-9a-f]+):\s+cpuid\s*$", re.MULTILINE)  # a line of objdump
# Of /proc/self/maps: where a file begins, and its name; of a file in memory that stands behind a colon.
_MAPPED = re.compile(r"^([0-9a-f]+)-\S+ \S+ 0+ \S+ \S+\s+\S*[/:]([^/: ]+)(?: \(deleted\))?$", re.MULTILINE)


def make_older(engine: str, model: Path) -> None:
    """Let an engine in this process, which has not computed anything, see a CPU with AVX2 and nothing newer.

    Raises:
        EdgecnnError: binutils are missing, or the system does not let the instruction be replaced.
    """
    files = {path.name: path for path in _libraries(engine, model)}
    mapped = _MAPPED.findall(Path("/proc/self/maps").read_text())
    begins = [(int(begin, 16), files[name]) for begin, name in mapped if name in files]
    addresses = [begin + place for begin, path in begins for place in _questions(path)]
    numbers = (ctypes.c_uint64 * len(addresses))(*addresses)
    if not addresses or ctypes.CDLL(str(_harness())).make_older(numbers, len(addresses)) != len(addresses):
        raise EdgecnnError(f"{engine} cannot be shown an older CPU: run without --older")


def _libraries(engine: str, model: Path) -> list[Path]:
    """The libraries of an engine, after they are loaded; `native` loads a copy in memory beside what C calls."""
    if engine == OURS:
        with Classifier(model, engine):
            path = library_of(model).path
            ctypes.CDLL(str(path))
            return [path]
    module = importlib.import_module(ENGINES[engine].module)
    return list(Path(str(module.__file__)).parent.rglob("*.so"))


def _questions(library: Path) -> list[int]:
    """Where a library has the instruction."""
    if b"\x0f\xa2" not in library.read_bytes():
        return []
    listing = run_program("objdump", "--disassemble", "--no-show-raw-insn", library).stdout
    return [int(place, 16) for place in _QUESTION.findall(listing)]


def _harness() -> Path:
    name = "older_cpu.so"

    def fill(folder: Path) -> None:
        compiled(folder / name, _SOURCE, "-shared", "-fPIC")

    return once(HOME / f"older-cpu-{key([_SOURCE])}", fill) / name
